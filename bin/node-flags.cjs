'use strict'
// Flags and environment of the Node that Postern runs on, wherever we are the ones who start it; the Dockerfile says the same.
module.exports = {
  NODE_FLAGS: [
    // No debugger by signal: it would listen for anybody on the machine.
    '--disable-sigusr1',
    // Half of Node's young generation: 40 MiB less under load, at a cost that the benchmark can hardly see.
    '--max-semi-space-size=8',
    // After a lull V8 would begin with 1 MiB of it and collect four times as often.
    '--min-semi-space-size=3',
  ],
  NODE_ENVIRONMENT: {
    // glibc keeps what each of eight threads has given back for that thread alone: 15 MiB after everything has been compiled.
    MALLOC_ARENA_MAX: '1',
  },
}
