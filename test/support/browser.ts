import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'

/** One tab of a real Chromium, driven over its debugging protocol. */
export interface Browser {
  readonly goto: (url: string) => Promise<void>
  /** The value of an expression in the page. */
  readonly evaluate: (expression: string) => Promise<unknown>
  /** Does something that loads another page, and waits for it. */
  readonly navigating: (expression: string) => Promise<void>
  readonly press: (key: 'Tab' | 'Enter') => Promise<void>
  readonly dark: (on: boolean) => Promise<void>
  readonly scripts: (on: boolean) => Promise<void>
  readonly cookies: () => Promise<readonly { readonly name: string; readonly httpOnly: boolean; readonly sameSite?: string }[]>
  readonly screenshot: (file: string) => Promise<void>
  /** Dialogs that a page opened, such as an alert. */
  readonly dialogs: () => readonly string[]
  readonly close: () => Promise<void>
}

const program = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0)

/** Whether there is one; says so loudly when not, and fails with `POSTERN_PEERS=required`. */
export function browserInstalled(): boolean {
  if (program !== undefined) return true
  const reason = 'Chromium is not installed (apt-get install chromium): tests of the pages are skipped'
  if (process.env['POSTERN_PEERS'] === 'required') throw new Error(reason)
  process.stderr.write(`! ${reason}\n`)
  return false
}

type Message = { readonly id?: number; readonly method?: string; readonly params?: Record<string, unknown>; readonly result?: Record<string, unknown>; readonly error?: { readonly message: string } }

export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'postern-browser-'))
  const root = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const child = spawn(program ?? 'chromium', ['--headless=new', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--window-size=1200,900', '--remote-debugging-port=0', `--user-data-dir=${profile}`, ...root, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const address = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /DevTools listening on (ws:\/\/\S+)/.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(`Chromium ended:\n${text}`)))
  })
  const socket = new WebSocket(address)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const waiting = new Map<number, (message: Message) => void>()
  const loads = new Set<() => void>()
  const dialogs: string[] = []
  let next = 0
  let session: string | undefined

  const send = (method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      next += 1
      waiting.set(next, ({ result, error }) => (error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result ?? {})))
      socket.send(JSON.stringify({ id: next, method, params, ...(session !== undefined && { sessionId: session }) }))
    })

  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Message
    if (message.id !== undefined) {
      waiting.get(message.id)?.(message)
      waiting.delete(message.id)
    } else if (message.method === 'Page.loadEventFired') for (const loaded of loads) loaded()
    else if (message.method === 'Page.javascriptDialogOpening') {
      dialogs.push(String(message.params?.['message']))
      void send('Page.handleJavaScriptDialog', { accept: true })
    }
  })

  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const attached = await send('Target.attachToTarget', { targetId, flatten: true })
  session = String(attached['sessionId'])
  await Promise.all(['Page.enable', 'Runtime.enable', 'Network.enable'].map((method) => send(method)))

  const loaded = async (work: () => Promise<unknown>): Promise<void> => {
    const load = new Promise<void>((resolve) => {
      const once = (): void => {
        loads.delete(once)
        resolve()
      }
      loads.add(once)
    })
    await work()
    await load
  }
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
    if (exceptionDetails) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`)
    return (result as { value?: unknown }).value
  }

  return {
    goto: (url) => loaded(() => send('Page.navigate', { url })),
    evaluate,
    navigating: (expression) => loaded(() => evaluate(expression)),
    press: async (key) => {
      const code = key === 'Tab' ? 9 : 13
      const text = key === 'Enter' ? { text: '\r' } : {}
      await send('Input.dispatchKeyEvent', { type: 'keyDown', key, code: key, windowsVirtualKeyCode: code, ...text })
      await send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, windowsVirtualKeyCode: code })
    },
    dark: async (on) => void (await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: on ? 'dark' : 'light' }] })),
    scripts: async (on) => void (await send('Emulation.setScriptExecutionDisabled', { value: !on })),
    cookies: async () => (await send('Network.getCookies'))['cookies'] as readonly { readonly name: string; readonly httpOnly: boolean; readonly sameSite?: string }[],
    screenshot: async (file) => writeFileSync(file, Buffer.from(String((await send('Page.captureScreenshot', { format: 'png' }))['data']), 'base64')),
    dialogs: () => dialogs,
    close: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      socket.close()
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
      await gone
      clearTimeout(timer)
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}
