#!/usr/bin/env node
// The command `meikai`: loads the built command line, or says how to build it.
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  console.error('meikai is not built yet. Run this in its folder first: npm ci')
  process.exitCode = 1
}
