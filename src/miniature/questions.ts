// Exam questions about the world: fourteen to each entity, options drawn anew each time one is printed.
import type { Random } from '../base/random.ts'
import { letterOf } from '../exam/prompts.ts'
import type { ExamItem } from '../exam/records.ts'
import { tellAttribute, tellKey, writeAttribute } from './texts.ts'
import type { Domain, Entity } from './world.ts'

/**
 * What a question asks for: the entity that has a key; a value of a named entity; a value of the entity that has a key;
 * a value's own sub-value, which takes two facts that no text puts side by side.
 */
export type QuestionKind = 'key' | 'attribute' | 'key-attribute' | 'two-hop'

export interface QuestionType {
  kind: QuestionKind
  /** Index into the plan's attributes; absent for 'key'. */
  attribute?: number
}

/** The fourteen types of a domain, in a fixed order. */
export function questionTypes({ plan }: Domain): QuestionType[] {
  const all = plan.attributes.map((_, attribute) => attribute)
  return [
    { kind: 'key' },
    ...all.map((attribute) => ({ kind: 'attribute' as const, attribute })),
    ...all.map((attribute) => ({ kind: 'key-attribute' as const, attribute })),
    ...all.flatMap((attribute) =>
      plan.attributes[attribute]!.sub === undefined ? [] : [{ kind: 'two-hop' as const, attribute }],
    ),
  ]
}

export function nameType({ kind, attribute }: QuestionType): string {
  return attribute === undefined ? kind : `${kind}-${attribute + 1}`
}

/** A question with five options in random order; its explanation is the chain of facts in sentences. */
export function writeQuestion(
  domain: Domain,
  entity: Entity,
  type: QuestionType,
  id: string,
  random: Random,
): ExamItem {
  const { stem, answer, pool, chain } = ask(domain, entity, type)
  const others = random.shuffled(pool.filter((name) => name !== answer)).slice(0, 4)
  const options = random.shuffled([answer, ...others])
  const gold = [[letterOf(options.indexOf(answer))]]
  return { id, question: stem, options, gold, points: 1, explanation: chain, kind: type.kind }
}

interface Asked {
  stem: string
  answer: string
  pool: string[]
  chain: string
}

function ask({ plan, entities, pools, subValues }: Domain, entity: Entity, { kind, attribute }: QuestionType): Asked {
  const { name, key } = entity
  const keyChain = tellKey(plan, entity)
  const bearer = `${key}${plan.keyVerb}${plan.bearer}`
  if (attribute === undefined) {
    const stem = `${key}${plan.keyVerb}${plan.kind}はどれか。`
    return { stem, answer: name, pool: entities.map((other) => other.name), chain: keyChain }
  }
  const { name: asked, sub } = plan.attributes[attribute]!
  const value = entity.values[attribute]!
  const chain = tellAttribute(name, asked, value)
  const pool = pools[attribute]!
  if (kind === 'attribute') return { stem: `${name}の${asked}はどれか。`, answer: value, pool, chain }
  if (kind === 'key-attribute') {
    return { stem: `${bearer}の${asked}はどれか。`, answer: value, pool, chain: keyChain + chain }
  }
  const subValue = subValues[attribute]!.of.get(value)!
  return {
    stem: `${name}の${asked}の${sub}はどれか。`,
    answer: subValue,
    pool: subValues[attribute]!.pool,
    chain: chain + tellAttribute(value, sub!, subValue),
  }
}

/** The same question with a true sentence put first that does not lead to the answer: another attribute of the entity. */
export function digress(
  item: ExamItem,
  { plan }: Domain,
  entity: Entity,
  type: QuestionType,
  random: Random,
): ExamItem {
  const others = plan.attributes.flatMap((_, i) => (i === type.attribute ? [] : [i]))
  const i = random.pick(others)
  const aside = writeAttribute(random, entity.name, plan.attributes[i]!.name, entity.values[i]!)
  return { ...item, explanation: aside + item.explanation }
}
