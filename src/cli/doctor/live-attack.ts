import type { Gateway } from '../../model/gateway.ts'
import { type Diagnosis, ok, problem, warning } from './diagnosis.ts'
import { clockCheck, glance } from './network-checks.ts'
import { spellings } from './self-attack.ts'

const at = (origin: string, path: string): string => new URL(path, origin).href

/** A request that forges something must be answered like the one that does not. */
async function forgeries(url: string, { wire: { owned } }: Gateway): Promise<Diagnosis> {
  const plain = await glance(url)
  if (!plain) return problem('live', `${url} does not answer`, 'Is it running, and reachable from here?')
  const kinds = [
    ...[...owned.identity].flatMap(spellings).map((name) => [name, 'forged-by-postern-doctor'] as const),
    ...['X-Forwarded-For', 'X-Real-IP', 'X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Uri'].map((name) => [name, name.endsWith('IP') || name.endsWith('For') ? '127.0.0.1' : '/'] as const),
  ]
  const odd: string[] = []
  for (const [name, value] of kinds) {
    const answer = await glance(url, { [name]: value })
    // Refused for being ambiguous is as good as not being believed.
    if (answer && answer.status !== plain.status && answer.status !== 400) odd.push(`${name} makes ${answer.status} of ${plain.status}`)
  }
  if (odd.length > 0) return problem('live forgeries', odd.join('; '), 'Somebody in front of the API believes this header. Find out who, and remove it there')
  return plain.status < 300
    ? warning('live forgeries', `${url} is answered ${plain.status} without a credential, so nothing can be told from it`, 'Give --live a path that needs one')
    : ok('live forgeries', `${kinds.length} headers, each answered like a request without it (${plain.status})`)
}

/** Things that clients must not find on the port for clients. */
async function exposed(origin: string): Promise<readonly Diagnosis[]> {
  const metrics = await glance(at(origin, '/metrics'))
  const check = await glance(at(origin, '/_postern/forward'), { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/', 'X-Forwarded-Host': 'localhost', 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '203.0.113.66' })
  return [
    metrics?.status === 200 && /^(text\/plain; version|application\/openmetrics)/.test(metrics.contentType)
      ? problem('live metrics', `${at(origin, '/metrics')} shows metrics to clients`, 'Do not route the ops port, nor the metrics of the API, to clients')
      : ok('live metrics', 'not where clients are'),
    check?.status === 200
      ? problem('live checks', 'this machine is let ask for decisions, in the name of any client', 'Take it out of client_ip.trusted_proxies, or give forward_auth a secret or a listener of its own')
      : ok('live checks', `a stranger who asks for a decision gets ${check?.status ?? 'no answer'}`),
  ]
}

/** Attacks a running Postern from outside, with requests that change nothing: GET, without credentials. */
export async function liveAttack(url: string, gateway: Gateway): Promise<readonly Diagnosis[]> {
  const forged = await forgeries(url, gateway)
  if (forged.name === 'live') return [forged]
  return [forged, ...(await exposed(url)), await clockCheck(url)]
}
