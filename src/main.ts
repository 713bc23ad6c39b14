import { runCommand } from './cli/run-command.ts'

const streams = [process.stdout, process.stderr]

// Whoever closed the other end (`postern schema | head`) gets no more, which is no error of ours.
for (const stream of streams) stream.on('error', () => undefined)

/** Resolves when what was written has left, or cannot leave. */
const drained = (stream: NodeJS.WriteStream): Promise<void> => new Promise((resolve) => void stream.write('', () => resolve()))

const code = await runCommand(process.argv.slice(2))
await Promise.all(streams.map(drained))
// The only place that ends the process.
process.exit(code)
