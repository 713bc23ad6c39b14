import { array, boolean, constant, constantFrom, integer, oneof, record, tuple, type Arbitrary } from 'fast-check'
import type { Charge, QuotaPolicy } from '../../src/model/quota.ts'

/** One call at a moment after the one before. */
export interface Step { readonly afterMs: number; readonly charges: readonly Charge[] }

export interface Scenario { readonly policies: readonly QuotaPolicy[]; readonly steps: readonly Step[] }

const windowMs = oneof(constantFrom(1_000, 10_000, 60_000), integer({ min: 50, max: 5_000 }))

const policyOf = (index: number): Arbitrary<QuotaPolicy> =>
  record({
    id: constant(`p${index}`),
    name: constant(`p${index}`),
    quota: integer({ min: 1, max: 12 }),
    windowMs,
    algorithm: constantFrom('fixed' as const, 'fixed' as const, 'calendar' as const, 'sliding' as const, 'gcra' as const),
    onUnavailable: constant('local' as const),
    shadow: boolean().map((value) => value && index === 2),
    reported: constant(false),
    burst: integer({ min: 1, max: 12 }),
    backoff: constantFrom(0, 0, 4, 100),
  }).map(({ burst, backoff, ...policy }) => ({
    ...policy,
    ...(policy.algorithm === 'gcra' && { burst }),
    ...(policy.algorithm === 'fixed' && backoff > 0 && { backoffMs: policy.windowMs * backoff }),
  }))

const policies = tuple(policyOf(0), policyOf(1), policyOf(2))

/** Calls of one to three charges on a few partitions, some at the same moment, some windows apart. */
export const scenario: Arbitrary<Scenario> = policies.chain((known) =>
  record({
    policies: constant(known),
    steps: array(
      record({
        afterMs: oneof(constant(0), integer({ min: 0, max: 40 }), integer({ min: 0, max: 3_000 }), integer({ min: 0, max: 90_000 })),
        charges: array(
          record({
            policy: constantFrom(...known),
            partition: constantFrom('ip:192.0.2.1', 'ip:192.0.2.1', 'principal:jwt:alice'),
            cost: oneof(constant(1), integer({ min: 0, max: 4 })),
          }),
          { minLength: 1, maxLength: 4 },
        ),
      }),
      { minLength: 1, maxLength: 40 },
    ),
  }),
)
