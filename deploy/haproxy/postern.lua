-- /etc/haproxy/postern.lua, made by `postern snippet haproxy`.
local url = "http://127.0.0.1:8080/_postern/forward"
-- Replaced by what Postern returns, and removed when it returns nothing.
local replaced = { "x-user-id", "x-user-email", "authorization", "x-api-key" }
-- Not part of the question: fields of one connection, and fields that are written here.
local left_out = { ["host"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["connection"] = true, ["keep-alive"] = true, ["upgrade"] = true, ["te"] = true, ["trailer"] = true, ["expect"] = true, ["proxy-connection"] = true, ["proxy-authorization"] = true, ["x-forwarded-method"] = true, ["x-forwarded-uri"] = true, ["x-forwarded-host"] = true, ["x-forwarded-proto"] = true, ["x-forwarded-for"] = true, ["x-real-ip"] = true, ["forwarded"] = true, ["x-postern-secret"] = true }
local of_connection = { ["content-length"] = true, ["transfer-encoding"] = true, ["connection"] = true, ["keep-alive"] = true, ["date"] = true }

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
  headers["x-forwarded-for"] = { src }

  local answer = core.httpclient():get({ url = url, headers = headers, timeout = 2000 })
  if not answer or answer.status == 0 then return refuse(txn, 503) end
  if answer.status ~= 200 then return refuse(txn, answer.status, answer.headers, answer.body) end
  for _, name in ipairs(replaced) do
    txn.http:req_del_header(name)
    local value = answer.headers[name] and answer.headers[name][0]
    if value and value ~= "" then txn.http:req_set_header(name, value) end
  end
end)
