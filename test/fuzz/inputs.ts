import * as fc from 'fast-check'

/** Generators that several targets share. Texts hold one character a byte where they stand for bytes. */

/** Pieces in any order, now and then with something that is none of them. */
export const soup = (pieces: readonly string[], maxLength = 8): fc.Arbitrary<string> =>
  fc.array(fc.oneof({ weight: 14, arbitrary: fc.constantFrom(...pieces) }, { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 3 }) }, { weight: 1, arbitrary: fc.nat(255).map((byte) => String.fromCharCode(byte)) }), { maxLength }).map((parts) => parts.join(''))

type Edit = readonly [place: number, what: 'drop' | 'double' | 'set' | 'insert' | 'swap' | 'cut', character: string]

function edited(text: string, [place, what, character]: Edit): string {
  const at = text.length === 0 ? 0 : place % text.length
  switch (what) {
    case 'drop':
      return text.slice(0, at) + text.slice(at + 1)
    case 'double':
      return text.slice(0, at) + text.slice(at, at + 1) + text.slice(at)
    case 'set':
      return text.slice(0, at) + character + text.slice(at + 1)
    case 'insert':
      return text.slice(0, at) + character + text.slice(at)
    case 'swap':
      return text.slice(0, at) + text.slice(at + 1, at + 2) + text.slice(at, at + 1) + text.slice(at + 2)
    case 'cut':
      return text.slice(0, at)
  }
}

/** A text with one of its characters, or of `characters`, thousands of times in a row: what takes more than linear time shows. Rare, because it is long. */
export const stretched = (text: fc.Arbitrary<string>, characters: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(text, fc.nat(4_095), fc.option(fc.constantFrom(...characters)), fc.integer({ min: 2_000, max: 14_000 })).map(([start, place, character, count]) => {
    const at = start.length === 0 ? 0 : place % start.length
    return start.slice(0, at) + (character ?? start.slice(at, at + 1)).repeat(count) + start.slice(at)
  })

/** One to three changes of one character each; `characters` are those that matter to the reader. */
export function mutated(text: fc.Arbitrary<string>, characters: readonly string[], most = 3): fc.Arbitrary<string> {
  const character = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...characters) }, { weight: 1, arbitrary: fc.nat(255).map((byte) => String.fromCharCode(byte)) })
  const edit = fc.tuple(fc.nat(4_095), fc.constantFrom('drop', 'double', 'set', 'insert', 'swap', 'cut'), character)
  return fc.tuple(text, fc.array(edit, { minLength: 1, maxLength: most })).map(([start, edits]) => edits.reduce(edited, start))
}

/** As it is, or changed. */
export const perhapsMutated = (text: fc.Arbitrary<string>, characters: readonly string[]): fc.Arbitrary<string> => fc.oneof({ weight: 160, arbitrary: text }, { weight: 240, arbitrary: mutated(text, characters) }, { weight: 1, arbitrary: stretched(text, characters) })

const octets = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
export const v4 = fc.nat(0xffff_ffff).map(octets)

/** Eight groups from four numbers, some of them zero, in the short spelling or the long one. fast-check's own takes ten times as long. */
export const v6 = fc.tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), fc.nat(255), fc.constantFrom('long', 'short', 'dotted', 'padded')).map(([high, low, zeros, style]) => {
  const groups = [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff, (high ^ low) >>> 16, (high ^ low) & 0xffff, (low * 7) & 0xffff, (high * 5) & 0xffff].map((group, index) => (((zeros >> index) & 1) === 1 ? 0 : group))
  const written = groups.map((group) => (style === 'padded' ? group.toString(16).padStart(4, '0') : group.toString(16)))
  if (style === 'dotted') return `${written.slice(0, 6).join(':')}:${octets(((groups[6] ?? 0) << 16) | (groups[7] ?? 0))}`
  return style === 'short' ? written.join(':').replace(/(^|:)0(:0)+(:|$)/, '::') : written.join(':')
})

/** Addresses, most of them near each other, with spellings that only some readers take. */
export const addresses: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.1.0.1', '192.0.2.7', '203.0.113.9', '2001:db8::1', '2001:db8:0:1::2', '::1', '127.0.0.1', '::ffff:10.0.0.1', '::ffff:0a00:0002', '2001:DB8::A', '::', 'fe80::1') },
  { weight: 2, arbitrary: v4 },
  { weight: 2, arbitrary: v6 },
  { weight: 1, arbitrary: fc.constantFrom('010.0.0.1', '10.1', '0x0a.0.0.1', '167772161', '10.0.0.1:80', '[2001:db8::1]', '[2001:db8::1]:80', 'fe80::1%eth0', 'unknown', '_hidden', '', ' ', '10.0.0.256', '1.2.3.4.5', '::ffff:10.0.0.256', '1::2::3', '::ffff:1.2.3', '12345::', '::10.0.0.1', '64:ff9b::10.0.0.1') },
)
