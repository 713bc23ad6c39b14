import { runCommand } from './cli/run-command.ts'

// The only place that ends the process. Standard streams to pipes are written synchronously, so nothing is lost.
process.exit(await runCommand(process.argv.slice(2)))
