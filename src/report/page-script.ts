// The page's only script: opens what a link points into, and filters the questions. Without it everything is still there to open.

export const PAGE_SCRIPT = `
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (!target) return
  for (let node = target; node; node = node.parentElement) if (node.tagName === 'DETAILS') node.open = true
  target.scrollIntoView()
}
addEventListener('hashchange', reveal)
reveal()
for (const filter of document.querySelectorAll('.filter')) {
  const cards = [...filter.parentElement.querySelectorAll('.card')]
  filter.hidden = false
  filter.querySelector('input').addEventListener('input', ({ target }) => {
    const wanted = target.value.trim().toLowerCase()
    let shown = 0
    for (const card of cards) {
      card.hidden = wanted !== '' && !card.textContent.toLowerCase().includes(wanted)
      if (!card.hidden) shown++
    }
    filter.querySelector('[role=status]').textContent = wanted === '' ? '' : shown + ' of ' + cards.length
  })
}
`
