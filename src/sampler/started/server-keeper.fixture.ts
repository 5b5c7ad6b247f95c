// A process that uses a server and does nothing else, to be killed: settings and times as JSON in its argument; it says 'up' then.
import { ServerKeeper } from './server-keeper.ts'

const { folder, settings, served, times } = JSON.parse(process.argv[2] ?? '')
const { url } = await new ServerKeeper(folder, settings, new AbortController().signal, undefined, times).use(served)
console.log(url)
setInterval(() => {}, 60_000)
