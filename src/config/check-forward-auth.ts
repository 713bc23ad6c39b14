import { checksAddress, clientAddress } from './check-listeners.ts'
import type { Finding } from './finding.ts'
import type { Config } from './schema.ts'

/** Fewer characters could be guessed. */
const SHORTEST_SECRET = 16

function isDedicatedSocket(config: Config): boolean {
  const { listen, grpc } = config.forward_auth ?? {}
  const own = [...(listen ? [checksAddress(listen)] : config.mode === 'forward_auth' ? [clientAddress(config)] : []), ...(grpc ? [checksAddress(grpc)] : [])]
  return own.some(({ path }) => path !== undefined)
}

/** Whoever may ask for decisions may ask in anybody's name, so there is no default for it (T23). */
function trust(config: Config): readonly Finding[] {
  const secrets = config.forward_auth?.secret ?? []
  const short = secrets.flatMap((secret, index): Finding[] => (secret.length < SHORTEST_SECRET ? [{ path: ['forward_auth', 'secret', ...(secrets.length > 1 ? [index] : [])], message: `expected at least ${SHORTEST_SECRET} characters; \`openssl rand -base64 32\` makes good ones` }] : []))
  if (short.length > 0 || secrets.length > 0 || config.client_ip.trusted_proxies.length > 0 || isDedicatedSocket(config)) return short
  return [{ path: ['client_ip', 'trusted_proxies'], message: 'empty, and forward-auth answers only proxies that are known; name their networks here, set forward_auth.secret, or listen on a unix socket', needs: ['client_ip', 'forward_auth', 'listen', 'mode'] }]
}

/** Pages and endpoints of our own. Whoever asks forwards an allowed request to the API, which knows nothing of them. */
function ownPaths({ self_service, deny_list }: Config): readonly Finding[] {
  const found: readonly (readonly [Finding['path'], string | undefined])[] = [[['self_service'], self_service?.path], [['deny_list', 'back_channel_logout'], deny_list?.back_channel_logout?.path]]
  return found.flatMap(([path, own]): Finding[] => own === undefined ? [] : [{ path, message: `with "mode: forward_auth" nobody answers ${own}, since allowed requests go on to the API. Leave "mode" out, name the API as "upstream", say forward_auth.listen for the checks, and let your proxy send ${own} to "listen", without a check`, at: 'key', needs: ['mode'] }])
}

/** What only a proxy can do. */
function impossible(config: Config): readonly Finding[] {
  const { mode, listen, forward_auth, routes } = config
  if (mode === 'proxy') return []
  return [
    ...ownPaths(config),
    ...(forward_auth?.listen ? [{ path: ['forward_auth', 'listen'], message: 'with "mode: forward_auth" there is nothing but checks; their address is "listen"', needs: ['mode'] as const }] : []),
    ...('proxy_protocol' in listen && listen.proxy_protocol ? [{ path: ['listen', 'proxy_protocol'], message: 'callers of forward-auth connect themselves, and the PROXY protocol would name somebody else as the caller', needs: ['mode'] as const }] : []),
    ...(routes ?? []).flatMap((route, index): Finding[] => {
      const at = (key: string, why: string): Finding => ({ path: ['routes', index, key], message: `${why}; with "mode: forward_auth" no request could pass here`, at: 'key', needs: ['mode'] })
      return [
        ...(route.body ? [at('body', 'forward-auth never sees the body of a request')] : []),
        ...(route.respond ? [at('respond', 'forward-auth cannot answer in the place of the upstream')] : []),
      ]
    }),
  ]
}

/** Whether checks are answered at all. */
export const answersChecks = ({ mode, forward_auth }: Pick<Config, 'mode' | 'forward_auth'>): boolean => mode === 'forward_auth' || forward_auth !== undefined

/** What is wrong with a config that answers checks of other proxies. */
export const checkForwardAuth = (config: Config): readonly Finding[] => (answersChecks(config) ? [...trust(config), ...impossible(config)] : [])

/** A client whose proxy is trusted arrives from an address that is trusted (T23). */
function sharedListener(forwardAuth: Config['forward_auth']): readonly Finding[] {
  if (!forwardAuth || forwardAuth.listen || forwardAuth.secret) return []
  return [{ path: ['forward_auth'], message: 'checks are answered where clients connect, so a client that comes through a trusted proxy can ask as well; give them a listener of their own with "listen", or a "secret"', at: 'key', needs: ['mode'] }]
}

/** Settings that nothing comes of, because another proxy does the forwarding. */
export function forwardAuthWarnings({ mode, routes, upstreams, forward_auth }: Config): readonly Finding[] {
  if (mode === 'proxy') return sharedListener(forward_auth)
  const idle = (path: Finding['path']): Finding => ({ path, message: 'has no effect with "mode: forward_auth": the proxy that asks does the forwarding', at: 'key', needs: ['mode'] })
  return [
    ...(upstreams === undefined ? [] : [idle(['upstreams'])]),
    ...(routes ?? []).flatMap(({ rewrite, mcp }, index): Finding[] => [
      ...(rewrite ? [idle(['routes', index, 'rewrite'])] : []),
      ...(mcp ? [{ path: ['routes', index, 'mcp'], message: 'with "mode: forward_auth" the metadata of RFC 9728 must be served by the upstream; only the challenge is sent from here', at: 'key' as const, needs: ['mode'] as const }] : []),
    ]),
  ]
}
