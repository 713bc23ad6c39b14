import type { Peer, Setting } from '../target.ts'
import { apache } from './apache.ts'
import { caddy } from './caddy.ts'
import { envoy } from './envoy.ts'
import { fastify } from './fastify.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { nodeRelays } from './node-relays.ts'
import { oathkeeper } from './oathkeeper.ts'
import { oauth2Proxy } from './oauth2-proxy.ts'
import { traefik } from './traefik.ts'

const ALL: readonly ((setting: Setting) => Peer | undefined)[] = [nginx, haproxy, caddy, apache, fastify, nodeRelays, oauth2Proxy, oathkeeper, traefik, envoy]

/** Every peer that is installed here. */
export const peers = (setting: Setting): Peer[] => ALL.map((peer) => peer(setting)).filter((peer) => peer !== undefined)
