// The Python environments: made from pinned lists, or found where somebody made them; their packages and this machine's GPUs.
import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasCode, UserError } from '../../base/errors.ts'
import { exists, hashFile, readText, writeJson } from '../../base/files.ts'
import { run } from './launcher.ts'

export type EnvironmentKind = 'training' | 'serving'

/** Written last: an environment without it is half made. */
const markName = 'meikai.json'
/** What must be there; all other packages come with them. */
const essential: Record<EnvironmentKind, readonly string[]> = {
  training: ['llamafactory', 'torch', 'transformers', 'peft', 'bitsandbytes'],
  serving: ['vllm', 'torch', 'transformers'],
}

/** The pinned list that is shipped. */
export function requirementsFile(kind: EnvironmentKind): string {
  return fileURLToPath(new URL(`../../../environments/${kind}.txt`, import.meta.url))
}

/**
 * Makes an environment from its pinned list, unless it is there in just these versions.
 * @param say is told the lines of pip.
 * @returns whether anything was made.
 * @throws UserError without Python, or where pip fails.
 */
export async function installEnvironment(
  kind: EnvironmentKind,
  folder: string,
  say: (line: string) => void,
): Promise<boolean> {
  const requirements = requirementsFile(kind)
  const hash = await hashFile(requirements)
  if ((await readMark(folder)) === hash) return false
  const { status, output } = await run('python3', ['--version'])
  const [, major = 0, minor = 0] = /(\d+)\.(\d+)/.exec(output) ?? []
  if (status !== 0 || Number(major) !== 3 || Number(minor) < 11) {
    throw new UserError(`python3 is ${output.trim()}; the ${kind} environment needs Python 3.11 or later.`)
  }
  // In its place from the start: its programs carry the path that they were made for.
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await stream('python3', ['-m', 'venv', folder], say)
  await stream(
    join(folder, 'bin/python'),
    ['-m', 'pip', 'install', '--no-deps', '--no-cache-dir', '-r', requirements],
    say,
  )
  await writeJson(join(folder, markName), { kind, requirements: hash })
  return true
}

async function readMark(folder: string): Promise<string | undefined> {
  try {
    return (JSON.parse(await readFile(join(folder, markName), 'utf8')) as { requirements?: string }).requirements
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

function stream(program: string, args: readonly string[], say: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let last = ''
    const hear = (text: string) => {
      for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
        last = line
        say(line)
      }
    }
    child.stdout.setEncoding('utf8').on('data', hear)
    child.stderr.setEncoding('utf8').on('data', hear)
    child.once('error', () => reject(new UserError(`${program} is not on this machine's PATH.`)))
    child.once('close', (status) =>
      status === 0 ? resolve() : reject(new UserError(`${program} ${args[1] ?? ''} failed: ${last}`)),
    )
  })
}

/** What stands in an environment, against the pinned list. */
export interface EnvironmentReport {
  /** Versions of what matters. */
  versions: Record<string, string>
  /** Of what matters: missing, or in another version than pinned. */
  problems: string[]
}

/**
 * Looks at an environment, made by meikai or not.
 * @param more packages that are no part of the pinned list, and are needed too.
 */
export async function inspectEnvironment(
  kind: EnvironmentKind,
  folder: string,
  more: readonly string[] = [],
): Promise<EnvironmentReport> {
  if (!(await exists(join(folder, 'bin/python'))))
    throw new UserError(`${folder} is not there. Make it: meikai cluster install ${kind}`)
  const { status, output } = await run(join(folder, 'bin/python'), [
    '-m',
    'pip',
    'list',
    '--format',
    'json',
    '--disable-pip-version-check',
  ])
  if (status !== 0) throw new UserError(`${folder}: pip does not answer there.`)
  const plain = (name: string) => name.toLowerCase().replace(/[-_.]+/g, '-')
  const found = new Map(
    (JSON.parse(output) as { name: string; version: string }[]).map(({ name, version }) => [plain(name), version]),
  )
  const pinned = new Map(
    (await readText(requirementsFile(kind))).split('\n').flatMap((line) => {
      const [, name, version] = /^([\w.-]+)==(\S+)/.exec(line) ?? []
      return name === undefined || version === undefined ? [] : [[plain(name), version] as const]
    }),
  )
  const problems: string[] = []
  const versions: Record<string, string> = {}
  for (const name of essential[kind]) {
    const version = found.get(name)
    if (version === undefined) problems.push(`${name} is missing`)
    else versions[name] = version
    // torch's own builds carry a suffix: 2.11.0+cu128.
    if (version !== undefined && version.split('+')[0] !== pinned.get(name))
      problems.push(`${name} is ${version}, tried with ${pinned.get(name)}`)
  }
  for (const name of more) {
    const version = found.get(name)
    if (version === undefined) problems.push(`${name} is missing`)
    else versions[name] = version
  }
  return { versions, problems }
}

export interface Gpu {
  name: string
  bytes: number
  freeBytes: number
}

/** The GPUs of this machine; none where there is no driver. */
export async function listGpus(): Promise<Gpu[]> {
  const query = ['--query-gpu=name,memory.total,memory.free', '--format=csv,noheader,nounits']
  const answer = await run('nvidia-smi', query).catch((error) => {
    if (error instanceof UserError) return undefined
    throw error
  })
  if (answer === undefined || answer.status !== 0) return []
  return answer.output
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', total = '0', free = '0'] = line.split(',').map((cell) => cell.trim())
      return { name, bytes: Number(total) * 2 ** 20, freeBytes: Number(free) * 2 ** 20 }
    })
}

/** How the GPUs of this machine are connected, in the words of nvidia-smi (NV12, PIX, SYS, ...); '' where it does not say. */
export async function describeInterconnect(): Promise<string> {
  const answer = await run('nvidia-smi', ['topo', '-m']).catch(() => undefined)
  const links = answer?.output.match(/\b(NV\d+|PIX|PXB|PHB|NODE|SYS)\b/g) ?? []
  return [...new Set(links.slice(0, 64))].join(', ')
}
