// Running texts about the world: facts in several wordings, cases, paragraphs.
import type { Random } from '../base/random.ts'
import type { Domain, DomainPlan, Entity } from './world.ts'

/** Ways to say that the attribute `a` of `e` is `v`. */
const attributeWordings: ((e: string, a: string, v: string) => string)[] = [
  (e, a, v) => `${e}の${a}は${v}である。`,
  (e, a, v) => `${v}は${e}の${a}である。`,
  (e, a, v) => `${e}は${a}が${v}である。`,
  (e, a, v) => `${a}が${v}であるのは${e}である。`,
  (e, a, v) => `${e}について、${a}は${v}とされる。`,
]

/** Ways to say that `e` has the key `k`. */
const keyWordings: ((e: string, k: string, plan: DomainPlan) => string)[] = [
  (e, k, { keyVerb }) => `${e}では${k}${keyVerb}。`,
  (e, k, { keyVerb }) => `${k}${keyVerb}のは${e}である。`,
  (e, k, { keyVerb }) => `${k}${keyVerb}ときは${e}を考える。`,
  (e, k, { key }) => `${e}の${key}は${k}である。`,
  (e, k, { key }) => `${k}は${e}の${key}である。`,
]

/** The first wording, which explanations use. */
export function tellAttribute(entity: string, attribute: string, value: string): string {
  return attributeWordings[0]!(entity, attribute, value)
}

/** The wording of a key that explanations use: from the key to the entity. */
export function tellKey(plan: DomainPlan, { name, key }: Entity): string {
  return keyWordings[1]!(name, key, plan)
}

export function writeAttribute(random: Random, entity: string, attribute: string, value: string): string {
  return random.pick(attributeWordings)(entity, attribute, value)
}

/** A document: 15 % a case, 30 % one to three sub-value facts, 55 % a paragraph. */
export function writeDocument(domain: Domain, random: Random): string {
  const kind = random.uniform()
  if (kind < 0.15) return writeCase(domain, random)
  if (kind < 0.45) return writeSubValues(domain, random)
  return writeParagraph(domain, random.pick(domain.entities), random)
}

function writeCase({ plan, entities }: Domain, random: Random): string {
  const entity = random.pick(entities)
  const i = random.integer(plan.attributes.length)
  const seen = `${entity.key}${plan.keyVerb}${plan.bearer}では${entity.name}を考える。`
  return seen + tellAttribute(entity.name, plan.attributes[i]!.name, entity.values[i]!)
}

function writeSubValues({ plan, pools, subValues }: Domain, random: Random): string {
  const withSub = plan.attributes.flatMap(({ sub }, i) => (sub === undefined ? [] : [i]))
  return Array.from({ length: 1 + random.integer(3) }, () => {
    const i = random.pick(withSub)
    const value = random.pick(pools[i]!)
    return writeAttribute(random, value, plan.attributes[i]!.sub!, subValues[i]!.of.get(value)!)
  }).join('')
}

/** 2, 3, 4 or 6 facts about one entity in random order, a third of the time opened by what it is. */
export function writeParagraph({ plan }: Domain, entity: Entity, random: Random): string {
  const opening = random.uniform() < 1 / 3 ? `${entity.name}は${plan.kind}である。` : ''
  const facts = [random.pick(keyWordings)(entity.name, entity.key, plan)]
  for (const [i, { name }] of plan.attributes.entries()) {
    facts.push(writeAttribute(random, entity.name, name, entity.values[i]!))
  }
  return (
    opening +
    random
      .shuffled(facts)
      .slice(0, random.pick([2, 3, 4, 6]))
      .join('')
  )
}

/** Every sentence that can be written about the first entity of a domain and its values. */
export function everySentence({ plan, entities, subValues }: Domain): string[] {
  const entity = entities[0]!
  return [
    `${entity.name}は${plan.kind}である。`,
    `${entity.key}${plan.keyVerb}${plan.bearer}では${entity.name}を考える。`,
    ...keyWordings.map((tell) => tell(entity.name, entity.key, plan)),
    ...plan.attributes.flatMap(({ name, sub }, i) => {
      const value = entity.values[i]!
      const facts = attributeWordings.map((tell) => tell(entity.name, name, value))
      if (sub === undefined) return facts
      return [...facts, ...attributeWordings.map((tell) => tell(value, sub, subValues[i]!.of.get(value)!))]
    }),
  ]
}
