// The embedded engine keeps the contract, in its worker thread.
import { describeEngine } from '../engine.contract.ts'
import { EmbeddedEngine } from './embedded-engine.ts'

describeEngine('the embedded engine', new EmbeddedEngine())
