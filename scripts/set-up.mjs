// Set-up: installs the packages of package-lock.json where they differ from what is there, builds dist/ where sources
// changed, and says so in a line each. Plain Node: it runs before anything is installed.
//   node scripts/set-up.mjs          both (before npm start and npm test)
//   node scripts/set-up.mjs build    the build alone (npm ci runs it as `prepare`, when packages are there)
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

if (process.argv[2] !== 'build') installPackages()
build()

/** Installs when the lock file asks for a package that is not there in that version. */
function installPackages() {
  const reason = missingPackage()
  if (reason === undefined) return
  const start = Date.now()
  say(`installing packages from package-lock.json (${reason}) ...`)
  const npm = process.env.npm_execpath
  const [command, ...before] = npm === undefined ? ['npm'] : [process.execPath, npm]
  // No package's own script has to run: the binaries that meikai uses lie in the packages.
  const options = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  run(command, [...before, ...options], 'npm ci failed')
  say(`packages installed in ${seconds(start)} s`)
}

/** Why packages must be installed, in words; undefined when all are there. npm keeps what it installed in a lock file of its own. */
function missingPackage() {
  const folder = join(root, 'node_modules')
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined // someone else's to install
  const installed = join(folder, '.package-lock.json')
  if (!existsSync(installed)) return 'none are there yet'
  const has = JSON.parse(readFileSync(installed, 'utf8')).packages
  const wants = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  for (const [path, entry] of Object.entries(wants)) {
    if (path === '' || has[path]?.integrity === entry.integrity) continue
    // What is optional is there where it is made for this machine; without a word on machines, it may belong to one that is not.
    if (entry.optional && !(entry.os !== undefined && fitsMachine(entry))) continue
    return `${path.replace(/^.*node_modules\//, '')} ${entry.version} is missing`
  }
  return undefined
}

function fitsMachine({ os, cpu, libc }) {
  const glibc = () => process.report.getReport().header.glibcVersionRuntime !== undefined
  const fits = (list, own) => list === undefined || list.includes(own) || list.every((item) => item.startsWith('!'))
  return (
    fits(os, process.platform) && fits(cpu, process.arch) && (libc === undefined || libc.includes('glibc') === glibc())
  )
}

/** Compiles src/ to dist/ when a source is another than at the last build. The old dist/ stays until the new one is whole. */
function build() {
  const stampFile = join(root, 'dist', '.sources')
  const stamp = hashSources()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  if (!existsSync(compiler)) {
    say('not built: the development packages are not installed')
    return
  }
  const start = Date.now()
  const partial = join(root, 'dist.partial')
  rmSync(partial, { recursive: true, force: true })
  run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', partial], 'the build failed')
  writeFileSync(join(partial, '.sources'), stamp)
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  renameSync(partial, join(root, 'dist'))
  say(`built dist/ in ${seconds(start)} s`)
}

/** A hash of everything that the build depends on. */
function hashSources() {
  const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  const hash = createHash('sha256')
  for (const path of [
    ...sources,
    ...['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].map((name) => join(root, name)),
  ]) {
    hash.update(`${path}\0`).update(readFileSync(path)).update('\0')
  }
  return hash.digest('hex')
}

function run(command, args, failure) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) return
  console.error(`meikai set-up: ${failure}${error === undefined ? '' : ` (${error.message})`}`)
  process.exit(1)
}

function say(text) {
  console.log(`meikai set-up: ${text}`)
}

function seconds(start) {
  return ((Date.now() - start) / 1000).toFixed(1)
}
