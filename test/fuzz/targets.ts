import type { FuzzTarget } from './fuzz-target.ts'
import { answers } from './targets/answers.ts'
import { apiKeys } from './targets/api-keys.ts'
import { clientAddress } from './targets/client-address.ts'
import { cookies } from './targets/cookies.ts'
import { identityValues } from './targets/identity-values.ts'
import { networks } from './targets/networks.ts'
import { proxyHeader } from './targets/proxy-header.ts'
import { requestTarget } from './targets/request-target.ts'
import { wireAnswers } from './targets/wire-answers.ts'
import { wireRequests } from './targets/wire-requests.ts'

/** Everything that is fuzzed. */
export const TARGETS: readonly FuzzTarget[] = [requestTarget, answers, apiKeys, clientAddress, cookies, identityValues, networks, proxyHeader, wireRequests, wireAnswers]
