import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { html, page, PAGE_HEADERS, table } from './page.ts'

const EVIL = ['<script>alert(1)</script>', '" onfocus="alert(1)" autofocus="', "' onload='x", '</title><img src=x onerror=1>', '&lt;b&gt;', '`x`']

describe('markup', () => {
  it.each(EVIL)('keeps %s text, in elements and in attributes', (evil) => {
    const { markup } = html`<a title="${evil}">${evil}</a>${[evil, html`<i>${evil}</i>`]}`
    expect(markup.replace(/<\/?[ai]>|<a title="|">/g, '')).not.toMatch(/[<>"'`]/)
    expect(page({ title: evil, header: html``, body: table([evil], [[evil]]) }).match(/<script|<img|onfocus="|onload='/)).toBeNull()
  })

  it('leaves out what is nothing', () => {
    expect(html`a${undefined}${null}${false}${0}b`.markup).toBe('a0b')
  })
})

describe('a page', () => {
  it('may run nothing and be framed by nobody; its style is named by digest', () => {
    const policy = PAGE_HEADERS.find(([name]) => name === 'Content-Security-Policy')?.[1] ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    const style = /<style>(.*?)<\/style>/s.exec(page({ title: 't', header: html``, body: html`` }))?.[1] ?? ''
    expect(policy).toContain(createHash('sha256').update(style).digest('base64'))
  })
})
