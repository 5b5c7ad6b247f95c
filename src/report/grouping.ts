// Records gathered by a name, in order of first appearance.

/** Groups of records that share a name; both groups and records keep their order. */
export function groupBy<T>(records: Iterable<T>, nameOf: (record: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const record of records) {
    const name = nameOf(record)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [record])
    else group.push(record)
  }
  return groups
}
