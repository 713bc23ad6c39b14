import type { Observer } from '../model/event.ts'
import type { StoreClient } from './store-client.ts'

const member = (text: string, name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1]

/**
 * Says what about a store makes limits less exact than they look: one that evicts keys when it is full forgets counters, and with them
 * what was spent. Not every account may ask; then nothing is said. Never rejects.
 */
export async function adviseAboutStore(client: Pick<StoreClient, 'command'>, observer: Observer, name: string): Promise<void> {
  try {
    const text = String(await client.command('INFO', 'memory'))
    const policy = member(text, 'maxmemory_policy')
    if (member(text, 'maxmemory') === '0' || policy === undefined || policy === 'noeviction') return
    observer.noticed('warn', 'store_may_evict', `${name} evicts keys when it is full (${policy}), and counters with them; use maxmemory-policy noeviction`, { store: name, policy })
  } catch {
    // An ACL may forbid it, and the link tells when the store is away.
  }
}
