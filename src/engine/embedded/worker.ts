// The worker thread of the embedded engine: training blocks its thread, so it has one of its own.
import { serve } from '../../base/worker-call.ts'
import { train } from './train.ts'

serve({ train })
