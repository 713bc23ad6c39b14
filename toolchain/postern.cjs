#!/usr/bin/env node
'use strict'
// npm links the bins of dependencies, not of the checkout itself. This package is a dependency of the checkout, so that
// `node_modules/.bin/postern` exists right after `npm ci`.
require('../bin/postern.cjs')
