import { runCommand } from './cli/run-command.ts'

/** Resolves when what was written has left. Whoever closed the other end gets no more, which is no error of ours. */
const drained = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    stream.on('error', () => resolve())
    stream.write('', () => resolve())
  })

const code = await runCommand(process.argv.slice(2))
await Promise.all([drained(process.stdout), drained(process.stderr)])
// The only place that ends the process.
process.exit(code)
