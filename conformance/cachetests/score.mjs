// Scores results by the suite's own rules, which honour what a test depends on.
// node score.mjs <suite> <results.json>
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [suite, file] = process.argv.slice(2)
const load = name => import(pathToFileURL(path.join(suite, name)))
const { determineTestResult, resultTypes } = await load('test-engine/lib/results.mjs')
const suites = (await load('tests/index.mjs')).default
const results = JSON.parse(fs.readFileSync(file))
const out = []
for (const s of suites) {
  for (const test of s.tests) {
    if (test.browser_only) continue
    const verdict = determineTestResult(suites, test.id, results)
    const name = Object.keys(resultTypes).find(k => resultTypes[k] === verdict)
    const detail = Array.isArray(results[test.id]) ? results[test.id].join(': ') : ''
    out.push({ id: test.id, kind: test.kind || 'required', verdict: name, detail })
  }
}
console.log(JSON.stringify(out))
