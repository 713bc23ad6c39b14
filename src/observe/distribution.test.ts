import { describe, expect, it } from 'vitest'
import { createDistribution } from './distribution.ts'

const created = () => createDistribution({ name: 'd', help: 'h', labelNames: ['face', 'kind'], buckets: [0.1, 1] })

const value = async (distribution: ReturnType<typeof created>, metricName: string, labels: Record<string, string | number>) => {
  const { values } = await distribution.get()
  return values.find((sample) => sample.metricName === metricName && Object.entries(labels).every(([name, wanted]) => sample.labels[name] === wanted))?.value
}

describe('a distribution', () => {
  it('counts a value in the first bucket whose bound is not below it, and in all above', async () => {
    const distribution = created()
    for (const observed of [0.1, 0.1000001, 1, 7]) distribution.of('proxy', 'jwt')(observed)
    expect(await value(distribution, 'd_bucket', { le: 0.1 })).toBe(1)
    expect(await value(distribution, 'd_bucket', { le: 1 })).toBe(3)
    expect(await value(distribution, 'd_bucket', { le: '+Inf' })).toBe(4)
    expect(await value(distribution, 'd_count', {})).toBe(4)
    expect(await value(distribution, 'd_sum', {})).toBeCloseTo(8.2000001)
  })

  it('keeps series apart by every label', async () => {
    const distribution = created()
    distribution.of('proxy', 'jwt')(2)
    distribution.of('proxy', 'none')(3)
    distribution.of('admin', 'jwt')(4)
    expect(await value(distribution, 'd_sum', { face: 'proxy', kind: 'jwt' })).toBe(2)
    expect(await value(distribution, 'd_sum', { face: 'proxy', kind: 'none' })).toBe(3)
    expect(await value(distribution, 'd_sum', { face: 'admin', kind: 'jwt' })).toBe(4)
  })

  it('shows a series that was only made, with zeros; one without labels is there from the start', async () => {
    const distribution = created()
    distribution.of('proxy', 'jwt')
    expect(await value(distribution, 'd_count', { face: 'proxy', kind: 'jwt' })).toBe(0)
    const bare = createDistribution({ name: 'b', help: 'h', labelNames: [], buckets: [1] })
    expect((await bare.get()).values.map(({ value: at }) => at)).toEqual([0, 0, 0, 0])
  })
})
