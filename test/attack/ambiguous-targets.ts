/** Targets that two readers read differently, with what is known of their readers; the sources stand in targets.test.ts. */

/** Ways from the open part to the closed one, or to something that nobody meant. */
export const REFUSED: readonly string[] = [
  // dot segments, raw and encoded
  '/public/../admin/x', '/public/./x', '/public/..', '/public/.', '/public/%2e%2e/admin/x', '/public/%2E%2E/admin/x', '/public/.%2e/admin/x', '/public/%2e./admin/x', '/public/%2e/x', '/public/x/%2e%2e/%2e%2e/admin/x', '/../admin/x', '/./admin/x', '/public/x/../../admin/x',
  // with parameters (Tomcat, Jetty, Spring)
  '/public/..;/admin/x', '/public/..;foo=bar/admin/x', '/public/.;/x', '/public;/../admin/x', '/public/x;a=b', '/public;a/x', '/;/admin/x', '/admin;/x', '/public/%2e%2e;/admin/x', '/public/..%3b/admin/x', '/public/..%3B/admin/x', '/public/.%3b/x', '/public/..%23', '/public/..%23/admin/x', '/public/x/..%3f', '/public/..%3F/admin/x', '/public/..%20/admin/x', '/public/.%23x',
  // encoded separators
  '/public%2f..%2fadmin/x', '/public/..%2fadmin/x', '/public/%2fadmin', '/public%2Fx', '/%2fadmin/x', '/public/x%5c..%5cadmin', '/public/..%5cadmin', '/public/%5C', '/public/x%2f',
  // backslashes (IIS)
  '/public\\..\\admin\\x', '/public/..\\admin/x', '/\\admin/x', '\\admin\\x', '/public/\\..\\admin',
  // twice encoded
  '/public/%252e%252e/admin/x', '/public/%252fadmin', '/public/%255cadmin', '/%2561dmin/x', '/public/%25252e', '/public/%25%32%65/x', '/public/%2%65/x', '/public/%%32%65/x',
  // needlessly encoded
  '/%61dmin/x', '/admi%6e/x', '/%41DMIN/x', '/public/%7euser', '/public/%2d', '/public/%5f', '/%70ublic/x', '/public/%30',
  // empty segments
  '//admin/x', '//public/x', '/public//x', '/public//../admin/x', '///admin/x', '/public/x//', '//evil.test/admin', '//api.test/admin/x', '/public/x///y',
  // controls, spaces and what is not ASCII
  '/public/%00', '/public/x%00.html', '/public/%0d%0aX-User-Id:%20root', '/public/%0a', '/public/%09', '/public/%7f', '/public/%1b', '/public/\u00e9', '/public/\u0080', '/public/\u00a0x', '/public/x\u007f', '/admin\0/x', '/public/\tx',
  // not UTF-8
  '/public/%c0%ae%c0%ae/admin/x', '/public/%c0%af', '/public/%e0%80%ae', '/public/%f0%80%80%ae', '/public/%ff', '/public/%c3', '/public/%c3%28', '/public/%ed%a0%80', '/public/%80', '/public/%f4%90%80%80', '/public/%u002e%u002e/admin',
  // malformed
  '/public/%', '/public/%2', '/public/%zz', '/public/%-1', '/public/x%', '/public/%g0',
  // fragments
  '/public#/../admin/x', '/public/x#', '/admin/x#/public', '/public/x?a#b', '#/admin', '/#',
  // other forms
  'http://api.test/admin/x', 'http://internal/admin/x', 'https://api.test/public/x', 'HTTP://api.test/public/x', 'http://api.test@internal/admin/x', 'file:///admin/x', 'javascript:alert(1)', 'admin/x', 'public/x', '?/public/x', '*', '.', '..', '../admin/x', './public/x', ':80', 'api.test:80', '@internal/x', 'http:/public/x', 'http:public/x',
]

/** How servers read what they are sent: each gives the path that it would serve. */
const resolve = (path: string): string => {
  const out: string[] = []
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') out.pop()
    else if (segment !== '.') out.push(segment)
  }
  return `/${out.join('/')}`
}
const decoded = (path: string): string => path.replaceAll(/%([0-9a-f]{2})/gi, (_match, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
const merged = (path: string): string => path.replaceAll(/\/+/g, '/')
export const READERS: Readonly<Record<string, (path: string) => string>> = {
  'Tomcat, which cuts at ;': (path) => resolve(merged(decoded(path.replaceAll(/;[^/]*/g, '')))),
  'IIS, where \\ is / and dots at the end are nothing': (path) => resolve(merged(decoded(path).replaceAll('\\', '/'))).replaceAll(/[. ]+(?=\/|$)/g, '').toLowerCase(),
  'nginx, which merges //': (path) => resolve(merged(decoded(path))),
  'Express, where case means nothing': (path) => decoded(path).toLowerCase(),
  'who decodes twice': (path) => resolve(merged(decoded(decoded(path)))),
  'a WHATWG URL': (path) => new URL(path, 'http://upstream.test').pathname,
  'who cuts at ? too, after decoding': (path) => resolve(decoded(path).split(/[?#\0]/)[0] ?? ''),
  'Windows, where blanks behind a name are nothing': (path) => resolve(decoded(path).replaceAll(/ +(?=\/|$)/g, '')),
  'who cuts at # and NUL': (path) => resolve(decoded(path).split(/[#\0]/)[0] ?? ''),
}

/** Odd, but read the same way by everybody: what was judged open stays open. */
export const ACCEPTED: readonly string[] = [
  '/public/x', '/public/x/', '/public/...', '/public/..x', '/public/x..', '/public/.hidden', '/public/a%20b', '/public/%C3%A9', '/public/%c3%a9', '/public/%23', '/public/%3F', '/public/a%25b', '/public/%3c%3e', '/public/x:y@z', "/public/!$&'()*+,=~-_", '/public/x%26y', '/public/%E2%80%AE', '/public/a|b', '/public/{x}', '/public/"', '/public/<x>', '/public/`', '/public/^', '/public/[x]',
  '/public/x?', '/public/x?a=b', '/public/x?../../admin', '/public/x?/admin/x', '/public/x??', '/public/x?%2e%2e%2f', '/public/x?\\', '/public/x?a=http://evil.test//', '/public/x?;a', '/public/%40', '/public/$%7Bx%7D', '/public/%3A',
]
