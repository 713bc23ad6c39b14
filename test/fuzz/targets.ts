import type { FuzzTarget } from './fuzz-target.ts'
import { answers } from './targets/answers.ts'
import { apiKeys } from './targets/api-keys.ts'
import { checkRequests } from './targets/check-requests.ts'
import { clientAddress } from './targets/client-address.ts'
import { configFiles } from './targets/config-files.ts'
import { cookies } from './targets/cookies.ts'
import { emittedFields } from './targets/emitted-fields.ts'
import { errorTemplates } from './targets/error-templates.ts'
import { headerLines } from './targets/header-lines.ts'
import { identityValues } from './targets/identity-values.ts'
import { issuerAnswers } from './targets/issuer-answers.ts'
import { jsonTexts } from './targets/json-texts.ts'
import { jwts } from './targets/jwts.ts'
import { networks } from './targets/networks.ts'
import { proxyHeader } from './targets/proxy-header.ts'
import { requestHeads } from './targets/request-heads.ts'
import { requestTarget } from './targets/request-target.ts'
import { wireAnswers } from './targets/wire-answers.ts'
import { wireRequests } from './targets/wire-requests.ts'

/** Everything that is fuzzed, in the order of a request: its bytes, its credentials, the answer; then what an operator writes. */
export const TARGETS: readonly FuzzTarget[] = [
  requestHeads, requestTarget, headerLines, clientAddress, networks, proxyHeader, checkRequests,
  jwts, apiKeys, cookies, issuerAnswers, jsonTexts, identityValues,
  answers, emittedFields, errorTemplates, configFiles,
  wireRequests, wireAnswers,
]
