import { createMemoryStore } from './memory-store.ts'
import { keyStoreContract } from './key-store.contract.ts'

keyStoreContract('the memory store', async () => ({ store: createMemoryStore(), dispose: async () => undefined }))
