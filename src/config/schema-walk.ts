import { z } from 'zod'
import type { ConfigPath } from './mistake.ts'

/** A schema without its wrappers: what a value written in the file is held against. Unions come apart. */
export function alternativesOf(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodReadonly) return alternativesOf(schema.unwrap())
  if (schema instanceof z.ZodPipe) return alternativesOf(schema.in)
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(alternativesOf)
  return [schema]
}

/** Whether an alternative of a discriminated union is the one that the value names. Others always fit. */
function fits(schema: z.core.$ZodType, value: unknown): boolean {
  if (!(schema instanceof z.ZodObject) || typeof value !== 'object' || value === null || !('type' in value)) return true
  const type = schema.shape['type'] as z.core.$ZodType | undefined
  return !(type instanceof z.ZodLiteral) || type.values.has(value.type as string)
}

function step(schema: z.core.$ZodType, segment: string | number): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodObject && Object.hasOwn(schema.shape, segment)) return alternativesOf(schema.shape[segment] as z.core.$ZodType)
  if (schema instanceof z.ZodRecord) return alternativesOf(schema.valueType)
  return schema instanceof z.ZodArray && typeof segment === 'number' ? alternativesOf(schema.element) : []
}

/** Every schema that may stand at a path; `value` is the tree, which decides between kinds. */
export function schemasAt(root: z.core.$ZodType, path: ConfigPath, value: unknown): readonly z.core.$ZodType[] {
  let schemas = alternativesOf(root)
  let here = value
  for (const segment of path) {
    schemas = schemas.filter((schema) => fits(schema, here)).flatMap((schema) => step(schema, segment))
    here = memberOf(here, segment)
  }
  return schemas.filter((schema) => fits(schema, here))
}

/** Keys that a map at a path may have, without those of free maps. */
export function keysAt(root: z.core.$ZodType, path: ConfigPath, value: unknown): readonly string[] {
  return [...new Set(schemasAt(root, path, value).flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : [])))]
}

/** An own member of a plain tree. */
export function memberOf(value: unknown, segment: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined
  return (value as Record<string | number, unknown>)[segment]
}

/** The value at a path of a plain tree. */
export const valueAt = (tree: unknown, path: ConfigPath): unknown => path.reduce<unknown>(memberOf, tree)

export const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
