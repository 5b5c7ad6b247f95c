// Numbers as people read them: bytes, durations, counts, percentages.

/** 1536 -> '1.5 KB' (units of 1024). */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`
}

/** 75.3 -> '1 min 15 s'. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** 1234567 -> '1,234,567'. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** 0.1234 -> '12.3 %'. */
export function formatPercent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`
}
