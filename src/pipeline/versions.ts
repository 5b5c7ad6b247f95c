// Versions of what makes the numbers.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** Name and version of meikai, Node and ONNX Runtime. */
export function versions(): Record<string, string> {
  const { version: meikai } = require('../../package.json') as { version: string }
  const { version: onnxruntime } = require('onnxruntime-node/package.json') as { version: string }
  return { meikai, node: process.versions.node, 'onnxruntime-node': onnxruntime }
}
