import { z } from 'zod'
import { count, duration, httpUrl } from './scalars.ts'

const LONGEST_MS = 300_000
const ttl = duration.refine((ms) => ms <= LONGEST_MS, 'expected at most 300s: a revoked credential would live on for longer')

/**
 * How long answers about credentials are kept: a duration, or every setting of it.
 *
 * @param fallback  default of `ttl`, as an operator would write it
 */
export function answerCache(fallback: string) {
  const settings = z.strictObject({
    ttl: ttl.prefault(fallback).describe('How long a good answer is kept; never past the expiry of what it is about. 0: always ask. At most 300 s.'),
    negative_ttl: duration.refine((ms) => ms <= 5_000, 'expected at most 5s').prefault('5s').describe('How long a refusal is kept. At most 5 s.'),
    max_entries: count.prefault(10_000).describe('Most recently used answers that are kept.'),
  })
  return z.union([settings, ttl.transform((ms) => ({ ttl: ms, negative_ttl: Math.min(ms, 5_000), max_entries: 10_000 }))])
    .prefault({})
    .meta({ title: 'answer cache', description: 'How long answers are kept; a duration alone is `ttl`.' })
}

/** Somebody who is asked. Empty text, as an unset variable leaves it, means that this is off. */
export const authorityUrl = z.union([z.literal(''), httpUrl]).meta({ title: 'url or nothing' })
