// A process that uses a server and does nothing else, to be killed: settings and times as JSON in its argument; it prints the server's address.
import { ServerKeeper } from './server-keeper.ts'
import { realSurroundings } from './surroundings.ts'

const { folder, settings, served, times } = JSON.parse(process.argv[2] ?? '')
const surroundings = { ...realSurroundings, ...times }
const keeper = new ServerKeeper(folder, settings, new AbortController().signal, undefined, surroundings)
const { url } = await keeper.use(served)
console.log(url)
setInterval(() => {}, 60_000)
