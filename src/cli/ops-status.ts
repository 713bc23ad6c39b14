import type { Clock } from '../base/time.ts'
import type { OpsCheck } from '../faces/ops/status.ts'
import type { UpstreamState } from '../faces/proxy/pools.ts'
import type { KeyStoreReport } from '../config/key-store-reports.ts'
import { keyStoreCheck } from './key-store-check.ts'
import { FLOOR_TEXT, isBelowFloor } from './node-safety.ts'
import { observedText } from './observing.ts'
import type { Prepared } from './load-config.ts'
import { providerStates, type ProviderState } from './provider-state.ts'
import type { Reloads } from './reloads.ts'

/** Failed connections in a row after which an instance that needs its upstream is not ready: one alone may be a hiccup. */
const FAILURES = 3

export interface StatusSources {
  readonly reloads: Reloads
  readonly upstreamState: (id: string) => UpstreamState
  readonly keyStores: () => readonly KeyStoreReport[]
  readonly clock: Clock
}

const check = (name: string, ok: boolean, detail: string | undefined, critical = false): OpsCheck => ({ name, ok, critical, ...(detail === undefined ? {} : { detail }) })

function configChecks({ rejection, pending }: Reloads): readonly OpsCheck[] {
  const settings = pending()
  return [
    check('config', rejection() === undefined, rejection()),
    ...(settings.length > 0 ? [check('restart', false, `a new value of ${settings.join(', ')} needs a restart`)] : []),
  ]
}

function providerCheck({ name, keys, lastError, missing }: ProviderState): OpsCheck {
  const detail = missing.length > 0 ? `${missing.join(' and ')} not set` : lastError === undefined ? undefined : `${lastError}; ${keys} keys in use`
  return check(`provider_${name}`, detail === undefined, detail)
}

/** A provider that is down, or lacks settings, is so for every instance: degraded, not unready. */
const providerChecks = ({ compiled }: Prepared): readonly OpsCheck[] => providerStates(compiled).map(providerCheck)

/** Nobody asks an upstream for this; it tells what became of the last requests. */
function upstreamChecks({ compiled, loaded }: Prepared, { upstreamState, clock }: StatusSources): readonly OpsCheck[] {
  return [...compiled.gateway.upstreams.keys()].map((id) => {
    const { consecutiveFailures, lastError } = upstreamState(id)
    const detail = consecutiveFailures === 0 || !lastError ? undefined : `${lastError.cause} ${Math.max(Math.round((clock() - lastError.at) / 1_000), 0)} s ago`
    return check(id === 'default' ? 'upstream' : `upstream_${id}`, detail === undefined, detail, loaded.config.ready.upstream && consecutiveFailures >= FAILURES)
  })
}

/** Without it each quota falls back as the config says, on every instance alike. */
function storeChecks({ compiled: { limits } }: Prepared): readonly OpsCheck[] {
  const state = limits.store?.state()
  return state === undefined ? [] : [check('limits_store', state.status !== 'down', state.detail)]
}

/** What does not stop anything, but must not be forgotten either. */
function warningChecks({ loaded }: Prepared): readonly OpsCheck[] {
  const observed = observedText(loaded.config)
  return [
    ...(observed === undefined ? [] : [check('enforcement', false, `only observed, not enforced: ${observed}`)]),
    ...(isBelowFloor(process.versions.node) ? [check('node', false, `Node ${process.versions.node} lacks security fixes; use ${FLOOR_TEXT} or newer`)] : []),
  ]
}

const keyStoreChecks = ({ loaded: { config: { ready } } }: Prepared, { keyStores, clock }: StatusSources): readonly OpsCheck[] => keyStores().map((report) => keyStoreCheck(report, ready.key_store, clock()))

/** Every check of /readyz. Only an upstream and a store of keys can be critical, as the config says. */
export function opsChecks(sources: StatusSources): readonly OpsCheck[] {
  const { reloads } = sources
  const current = reloads.current()
  return [...configChecks(reloads), ...providerChecks(current), ...storeChecks(current), ...keyStoreChecks(current, sources), ...upstreamChecks(current, sources), ...warningChecks(current)]
}

/** Whether no upstream takes connections any more: then nobody is served by waiting. */
export function upstreamsGone({ reloads, upstreamState }: Pick<StatusSources, 'reloads' | 'upstreamState'>): boolean {
  const ids = [...reloads.current().compiled.gateway.upstreams.keys()]
  return ids.length > 0 && ids.every((id) => upstreamState(id).consecutiveFailures > 0)
}
