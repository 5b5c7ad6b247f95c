// Charts as SVG text: Observable Plot draws into a document without a browser; colours are the page's CSS variables.
import { createRequire } from 'node:module'
import * as Plot from '@observablehq/plot'
import { type Point, thinned } from './curves.ts'
import { Markup } from './markup.ts'
import type { ExamSummary, WaySummary } from './summary.ts'

// The package's own types name another module, hence the declaration here.
const { createDocument } = createRequire(import.meta.url)('@mixmark-io/domino') as {
  createDocument(html: string): unknown
}

/** How a series looks; colour and dash both tell it apart, so that neither is needed. */
export interface SeriesStyle {
  /** A CSS variable of the page. */
  color: string
  dash?: string
  /** Points are marked: few and exact, where a line alone says many. */
  dots?: boolean
  faint?: boolean
}

export interface Series {
  points: Point[]
  style: SeriesStyle
}

export interface CurveChart {
  /** Read aloud in place of the picture. */
  label: string
  series: Series[]
  yLabel: string
  /** Shared between charts that are compared; fitted when missing. */
  xDomain?: [number, number]
  yDomain?: [number, number]
  /** A horizontal line to compare with. */
  baseline?: number
}

/** Width in CSS pixels at which text is 12 px: charts stand in columns about as wide, so that text stays readable on a phone. */
const CURVE_WIDTH = 320
const CURVE_HEIGHT = 200

/** A value over training steps. */
export function drawCurves(chart: CurveChart): Markup {
  const marks: Plot.Markish[] = [Plot.gridY({ ticks: 5, stroke: 'var(--line)', strokeOpacity: 1 })]
  if (chart.baseline !== undefined) marks.push(Plot.ruleY([chart.baseline], { stroke: 'var(--muted)' }))
  for (const { points, style } of chart.series) {
    const channels = { x: 'step', y: 'value' }
    marks.push(
      Plot.line(thinned(points), {
        ...channels,
        stroke: style.color,
        strokeWidth: style.faint ? 1.25 : 2,
        strokeOpacity: style.faint ? 0.55 : 1,
        strokeDasharray: style.dash,
      }),
    )
    if (style.dots) marks.push(Plot.dot(points, { ...channels, fill: style.color, r: 2.5 }))
  }
  return draw(chart.label, {
    width: CURVE_WIDTH,
    height: CURVE_HEIGHT,
    marginLeft: 44,
    marginRight: 12,
    marginTop: chart.yLabel === '' ? 8 : 26,
    marginBottom: 34,
    x: { label: 'step', labelArrow: 'none', labelAnchor: 'right', ticks: 4, tickSize: 3, domain: chart.xDomain },
    y: { label: chart.yLabel, labelArrow: 'none', ticks: 5, tickSize: 0, domain: chart.yDomain, nice: true },
    marks,
  })
}

const ROW_HEIGHT = 40

/** Accuracy of every variant both ways, with intervals, on one axis of 0 to 100 %. */
export function drawAccuracy(exam: ExamSummary, width: number, label: string): Markup {
  const names = Object.keys(exam.variants)
  const ticks = [0, 20, 40, 60, 80, 100]
  const longest = Math.max(...names.map((name) => name.length))
  const marginLeft = Math.min(longest * 8.2 + 16, width * 0.36)
  const rows = names.flatMap((name) => {
    const { answer, explain } = exam.variants[name]!
    return [accuracyRow(name, answer, 'answer'), accuracyRow(name, explain, 'explain')].filter((row) => row !== null)
  })
  const ofWay = (way: string) => rows.filter((row) => row.way === way)
  const interval = (way: string, color: string, dy: number) =>
    Plot.ruleY(ofWay(way), { y: 'name', x1: 'low', x2: 'high', stroke: color, strokeWidth: 2, dy })
  const dot = (way: string, color: string, symbol: 'circle' | 'diamond', dy: number) =>
    Plot.dot(ofWay(way), { y: 'name', x: 'accuracy', fill: color, symbol, r: symbol === 'circle' ? 5 : 5.5, dy })
  return draw(label, {
    width,
    height: names.length * ROW_HEIGHT + (exam.chance === null ? 34 : 50),
    marginLeft,
    marginRight: 16,
    marginTop: exam.chance === null ? 8 : 24,
    marginBottom: 26,
    x: {
      domain: [0, 100],
      label: null,
      ticks,
      tickFormat: (value: number) => `${value} %`,
      tickSize: 3,
    },
    y: { domain: names, label: null, tickSize: 0, tickFormat: (name: string) => shorten(name, marginLeft / 7) },
    marks: [
      Plot.gridX(ticks, { stroke: 'var(--line)', strokeOpacity: 1 }),
      exam.chance === null ? null : Plot.ruleX([100 * exam.chance], { stroke: 'var(--muted)', strokeDasharray: '3,3' }),
      exam.chance === null
        ? null
        : Plot.text([100 * exam.chance], {
            x: (x: number) => x,
            text: ['chance'],
            frameAnchor: 'top',
            dy: -12,
            fill: 'var(--muted)',
          }),
      interval('answer', 'var(--answer)', -6),
      interval('explain', 'var(--explain)', 6),
      dot('answer', 'var(--answer)', 'circle', -6),
      dot('explain', 'var(--explain)', 'diamond', 6),
    ],
  })
}

function accuracyRow(name: string, summary: WaySummary | undefined, way: string) {
  if (!summary?.interval) return null
  const { low, high } = summary.interval
  return { name, way, accuracy: 100 * summary.accuracy, low: 100 * low, high: 100 * high }
}

function shorten(name: string, characters: number): string {
  return name.length <= characters ? name : `${name.slice(0, Math.floor(characters) - 1)}…`
}

function draw(label: string, options: Plot.PlotOptions): Markup {
  const svg = Plot.plot({
    ...options,
    document: createDocument(''),
    className: 'plot',
    ariaLabel: label,
  } as Plot.PlotOptions)
  svg.querySelector('style')?.remove() // the page styles every chart at once
  svg.removeAttribute('style')
  svg.setAttribute('role', 'img')
  return new Markup(
    (svg.outerHTML as string).replace(PLACES, (place) =>
      place.replace(/-?\d+\.\d{2,}/g, (number) => String(Number(Number(number).toFixed(1)))),
    ),
  )
}

/** Attributes that say where something stands; a tenth of a pixel is enough for them. */
const PLACES = / (?:d|transform|[cxy]{1,2}[12]?|width|height)="[^"]*"/g
