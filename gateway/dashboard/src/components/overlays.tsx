// Overlays: toasts, dialogs, keyboard shortcuts.
import { CircleAlert, CircleCheck, Info, X } from 'lucide-react'
import { useQuestion } from '../lib/confirm'
import { usePrefs } from '../lib/prefs'
import { dismiss, useToasts } from '../lib/toast'
import { Button, Dialog, IconButton } from './ui'

const ICON = { done: CircleCheck, failed: CircleAlert, info: Info }

export function Toasts() {
  const toasts = useToasts((s) => s.toasts)
  return (
    <div id="notices" role="status" aria-live="polite" className="pointer-events-none fixed right-4 bottom-20 z-50 grid w-[min(400px,calc(100vw-32px))] gap-2">
      {toasts.map((t) => {
        const Icon = ICON[t.kind]
        return (
          <div key={t.id} data-kind={t.kind} data-state-of={t.kind} className="risen pointer-events-auto card flex items-start gap-2 px-3 py-2 shadow-lg">
            <Icon size={16} aria-hidden className="mt-0.5 shrink-0 text-(--c)" />
            <p className="min-w-0 flex-1 break-words"><span className="font-medium">{t.text}</span>{t.detail && <span className="block text-xs text-ink2">{t.detail}</span>}</p>
            <IconButton label="Dismiss" icon={X} size={14} className="size-7!" onClick={() => dismiss(t.id)} />
          </div>
        )
      })}
    </div>
  )
}

export function Question() {
  const question = useQuestion((s) => s.question)
  return (
    <Dialog open={!!question} onClose={() => question?.answer(false)} title={question?.title ?? ''} look="modal narrow"
      footer={<><Button onClick={() => question?.answer(false)}>Keep as it is</Button><Button kind={question?.danger ? 'danger' : 'strong'} data-first onClick={() => question?.answer(true)}>{question?.action}</Button></>}>
      <div className="text-sm">{question?.text}</div>
    </Dialog>
  )
}

const KEYS: [string, [string, string][]][] = [
  ['Everywhere', [['⌘K or Ctrl K', 'Go to a run, a page, an id'], ['?', 'This list'], ['Esc', 'Close, clear the selection']]],
  ['List of runs', [['j k ↓ ↑', 'Move'], ['Enter', 'Open'], ['o', 'Peek'], ['x', 'Select'], ['p', 'Pause or resume'], ['n', 'New run'], ['f', 'Filter'], ['r', 'Refresh'], ['.', 'Density']]],
  ['A run', [['j k', 'Next, previous run'], ['p', 'Pause or resume'], ['r', 'Refresh'], ['[ ]', 'Event before, after'], ['l', 'Back to live'], ['Esc', 'Back']]],
]

export function KeySheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { singleKeys, set } = usePrefs()
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard">
      <div className="grid gap-6 sm:grid-cols-2">
        {KEYS.map(([group, keys]) => (
          <section key={group}>
            <h3 className="mb-2 text-xs font-semibold text-ink2">{group}</h3>
            <dl className="grid grid-cols-[9rem_1fr] gap-y-1">
              {keys.map(([key, does]) => <div key={key} className="contents"><dt><kbd className="mono rounded border border-line bg-raised px-1.5 py-0.5 text-xs">{key}</kbd></dt><dd>{does}</dd></div>)}
            </dl>
          </section>
        ))}
      </div>
      <label className="mt-6 flex items-center gap-2"><input type="checkbox" className="size-4" checked={singleKeys} onChange={(e) => set({ singleKeys: e.target.checked })} />Use single keys (⌘K and Esc always work)</label>
    </Dialog>
  )
}
