import { serverName, type Snippet, type SnippetFacts } from './facts.ts'

const CLIENT_IP = { 'x-forwarded-for': 'src', 'x-real-ip': 'src', forwarded: '"for=" .. src' } as const

const luaSet = (names: readonly string[]): string => `{ ${names.map((name) => `["${name.toLowerCase()}"] = true`).join(', ')} }`

const luaList = (names: readonly string[]): string => `{ ${names.map((name) => `"${name.toLowerCase()}"`).join(', ')} }`

/** HAProxy has no forward-auth of its own; its HTTP client asks from Lua. */
function lua(facts: SnippetFacts): string {
  return `-- /etc/haproxy/postern.lua, made by \`postern snippet haproxy\`.
local url = "http://${facts.postern}/_postern/forward"
-- Replaced by what Postern returns, and removed when it returns nothing.
local replaced = ${luaList([...facts.identity, ...facts.stripped])}
-- Not part of the question: fields of one connection, and fields that are written here.
local left_out = ${luaSet(['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'te', 'trailer', 'expect', 'proxy-connection', 'proxy-authorization', 'x-forwarded-method', 'x-forwarded-uri', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-for', 'x-real-ip', 'forwarded', 'x-postern-secret'])}
local of_connection = ${luaSet(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'date'])}
${facts.secret ? 'local secret = os.getenv("POSTERN_SECRET")\n' : ''}
local function refuse(txn, status, headers, body)
  local reply = txn:reply()
  reply:set_status(status)
  for name, values in pairs(headers or {}) do
    if not of_connection[name] then
      for index = 0, #values do reply:add_header(name, values[index]) end
    end
  end
  if body and txn.f:method() ~= "HEAD" then reply:set_body(body) end
  txn:done(reply)
end

core.register_action("postern", { "http-req" }, function(txn)
  local src = txn.f:src()
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not left_out[name] then
      local copy = {}
      for index = 0, #values do copy[#copy + 1] = values[index] end
      headers[name] = copy
    end
  end
  -- HAProxy writes targets of HTTP/2 as whole URLs; in HTTP/1 a whole URL is what the client sent, and is refused.
  local target = txn.f:req_ver() == "2.0" and txn.f:pathq() or txn.f:url()
  headers["x-forwarded-method"] = { txn.f:method() }
  headers["x-forwarded-uri"] = { target }
  headers["x-forwarded-host"] = { txn.f:req_fhdr("host") }
  headers["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
  headers["${facts.clientIp}"] = { ${CLIENT_IP[facts.clientIp]} }
${facts.secret ? '  headers["x-postern-secret"] = { secret }\n' : ''}
  local answer = core.httpclient():get({ url = url, headers = headers, timeout = 2000${facts.tls ? ', dst = "abns@postern"' : ''} })
  if not answer or answer.status == 0 then return refuse(txn, 503) end
  if answer.status ~= 200 then return refuse(txn, answer.status, answer.headers, answer.body) end
  for _, name in ipairs(replaced) do
    txn.http:req_del_header(name)
    local value = answer.headers[name] and answer.headers[name][0]
    if value and value ~= "" then txn.http:req_set_header(name, value) end
  end
end)
`
}

/** The HTTP client compares certificates with nothing but a name that it resolves itself, so a server line speaks TLS in its place. */
const overTls = ({ postern }: SnippetFacts): string => `
# What the script asks goes on to Postern over TLS. Certificates are compared with names alone, never with addresses.
listen postern
  bind abns@postern
  server postern ${postern} ssl verify required ca-file /etc/haproxy/postern-ca.pem verifyhost ${serverName(postern)} sni str(${serverName(postern)})
`

/** haproxy.cfg and the script that it loads. */
export function haproxySnippet(facts: SnippetFacts): Snippet {
  const text = `# /etc/haproxy/haproxy.cfg, made by \`postern snippet haproxy\`.
global
  lua-load /etc/haproxy/postern.lua

defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h

frontend clients
  bind ${facts.listen}
  # X_User_Id would be X-User-Id to many frameworks.
  http-request deny deny_status 400 if { req.hdr_names(:) -m sub _ }
  http-request lua.postern
  http-request set-header X-Forwarded-For %[src]
  default_backend api

backend api
  server api ${facts.api}
${facts.tls ? overTls(facts) : ''}`
  return new Map([['haproxy.cfg', text], ['postern.lua', lua(facts)]])
}
