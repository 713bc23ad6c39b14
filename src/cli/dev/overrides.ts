/** Variables that a real config would read must not change the demo. */
export const withoutOverrides = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('POSTERN_')))
