// The small parts: buttons, dialogs, menus, fields, empty and error states.
import clsx from 'clsx'
import { Check, Copy as CopyIcon, X } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import { forwardRef, useEffect, useId, useRef, useState } from 'react'
import { Refused, sentence } from '../lib/api'

type ButtonProps = React.ButtonHTMLAttributes<HTMLButtonElement> & { kind?: 'plain' | 'strong' | 'danger' | 'quiet'; icon?: React.ComponentType<{ size?: number; 'aria-hidden'?: boolean }>; busy?: boolean; small?: boolean }

export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button({ kind = 'plain', icon: Icon, busy, small, className, children, disabled, ...rest }, ref) {
  return (
    <button ref={ref} type="button" disabled={disabled || busy} aria-busy={busy || undefined} {...rest}
      className={clsx('inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap transition-colors disabled:opacity-50 max-md:min-h-11',
        small ? 'min-h-7 px-2 text-xs' : 'min-h-8 px-3 text-sm',
        kind === 'strong' && 'bg-ink text-surface hover:opacity-90',
        kind === 'plain' && 'border border-control bg-surface hover:bg-raised',
        kind === 'danger' && 'border border-control bg-surface text-failed hover:bg-raised',
        kind === 'quiet' && 'text-ink2 hover:bg-raised hover:text-ink', className)}>
      {Icon && <Icon size={14} aria-hidden />}
      {children}
    </button>
  )
})

/** A button that is only an icon, with its name for everyone who does not see it. */
export const IconButton = forwardRef<HTMLButtonElement, React.ButtonHTMLAttributes<HTMLButtonElement> & { label: string; icon: React.ComponentType<{ size?: number; 'aria-hidden'?: boolean }>; size?: number }>(
  function IconButton({ label, icon: Icon, size = 16, className, ...rest }, ref) {
    return (
      <button ref={ref} type="button" aria-label={label} title={label} {...rest} className={clsx('grid size-8 shrink-0 place-items-center rounded-md text-ink2 hover:bg-raised hover:text-ink disabled:opacity-40 max-md:size-11', className)}>
        <Icon size={size} aria-hidden />
      </button>
    )
  },
)

/** A native dialog: it traps the focus, closes on Esc, and returns the focus. Our policy refuses the style elements of others. */
export function Dialog({ open, onClose, title, children, footer, look = 'modal' }: { open: boolean; onClose: () => void; title: string; children: React.ReactNode; footer?: React.ReactNode; look?: 'modal' | 'modal narrow' | 'modal wide' | 'sheet' }) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    if (!dialog) return
    if (open && !dialog.open) {
      dialog.showModal()
      // Not the button that closes it, which is the first one.
      const first = dialog.querySelector<HTMLElement>('[data-first]') ?? dialog.querySelector('h2')
      first?.focus()
    }
    if (!open && dialog.open) dialog.close()
  }, [open])
  if (!open) return null
  return (
    // A click on the backdrop is a click on the dialog itself.
    // biome-ignore lint: the keyboard closes it with Esc
    <dialog ref={ref} className={look} aria-labelledby={id} onCancel={(e) => { e.preventDefault(); onClose() }} onMouseDown={(e) => { if (e.target === ref.current) onClose() }}>
      <div className={clsx('flex max-h-[inherit] flex-col', look === 'sheet' && 'h-full')}>
        <header className="flex items-center gap-3 border-b border-line px-5 py-3">
          <h2 id={id} tabIndex={-1} className="min-w-0 outline-none flex-1 truncate text-base font-semibold">{title}</h2>
          <IconButton label="Close" icon={X} onClick={onClose} />
        </header>
        <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4">{children}</div>
        {footer && <footer className="flex flex-wrap items-center justify-end gap-2 border-t border-line px-5 py-3">{footer}</footer>}
      </div>
    </dialog>
  )
}

export type MenuItem = { label: string; onSelect: () => void; danger?: boolean; disabled?: boolean; checked?: boolean; hint?: string } | 'line'

export function Menu({ trigger, items, label }: { trigger: React.ReactNode; items: MenuItem[]; label: string }) {
  const row = 'flex min-h-8 cursor-pointer items-center gap-2 rounded px-2 text-sm outline-none data-highlighted:bg-raised data-disabled:opacity-50 max-md:min-h-11'
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align="end" sideOffset={4} aria-label={label} className="card z-50 max-h-[70vh] min-w-44 overflow-y-auto p-1 shadow-lg">
          {items.map((item, i) => {
            if (item === 'line') return <DropdownMenu.Separator key={`line${i}`} className="my-1 h-px bg-line" />
            if (item.checked !== undefined)
              return (
                <DropdownMenu.CheckboxItem key={item.label} checked={item.checked} disabled={item.disabled} onSelect={(e) => { e.preventDefault(); item.onSelect() }} className={row}>
                  <span className="grid size-4 place-items-center">{item.checked && <Check size={14} aria-hidden />}</span>{item.label}
                </DropdownMenu.CheckboxItem>
              )
            return (
              <DropdownMenu.Item key={item.label} disabled={item.disabled} onSelect={item.onSelect} className={clsx(row, item.danger && 'text-failed')}>
                <span className="flex-1">{item.label}</span>{item.hint && <kbd className="mono text-2xs text-ink3">{item.hint}</kbd>}
              </DropdownMenu.Item>
            )
          })}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}

export function Field({ label, hint, error, children }: { label: string; hint?: React.ReactNode; error?: string; children: (ids: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean }) => React.ReactNode }) {
  const id = useId()
  const note = hint || error ? `${id}-note` : undefined
  return (
    <div className="grid content-start gap-1">
      <label htmlFor={id} className="text-xs font-medium text-ink2">{label}</label>
      {children({ id, 'aria-describedby': note, 'aria-invalid': error ? true : undefined })}
      {note && <p id={note} className={clsx('text-2xs', error ? 'text-failed' : 'text-ink3')}>{error ?? hint}</p>}
    </div>
  )
}

export function Copy({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setDone(true)
      setTimeout(() => setDone(false), 1500)
    } catch {
      // Without permission the text can still be selected by hand.
    }
  }
  return (
    <button type="button" onClick={copy} aria-label={done ? 'Copied' : label} title={done ? 'Copied' : label} className="inline-grid size-6 place-items-center rounded text-ink3 hover:bg-raised hover:text-ink">
      {done ? <Check size={13} aria-hidden /> : <CopyIcon size={13} aria-hidden />}
    </button>
  )
}

export function Empty({ title, children, action }: { title: string; children?: React.ReactNode; action?: React.ReactNode }) {
  return (
    <div className="grid justify-items-center gap-2 px-6 py-12 text-center">
      <p className="text-base font-semibold">{title}</p>
      {children && <p className="max-w-[60ch] text-ink2">{children}</p>}
      {action}
    </div>
  )
}

export function Problem({ error, onRetry, what }: { error: unknown; onRetry?: () => void; what: string }) {
  const id = error instanceof Refused ? error.requestId : undefined
  return (
    <div role="alert" data-state-of="failed" className="state m-4 flex flex-wrap items-center gap-3 rounded-lg border border-(--s) px-4 py-3">
      <p className="min-w-0 flex-1"><b className="font-semibold">{what}</b> <span className="text-ink2">{sentence(error)}</span></p>
      {id && <Copy text={id} label="Copy the request id" />}
      {onRetry && <Button small onClick={onRetry}>Retry</Button>}
    </div>
  )
}

/** Rows of the real height while nothing is known yet; not shown for the first 150 ms. */
export function Skeleton({ rows = 5, height = 48 }: { rows?: number; height?: number }) {
  const [shown, setShown] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 150)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div aria-busy="true" aria-label="Loading" role="status" className="p-4" style={{ minHeight: rows * height }}>
      {shown && Array.from({ length: rows }, (_, i) => <div key={i} className="breathe mb-3 rounded bg-raised" style={{ height: height - 24, width: `${90 - ((i * 17) % 40)}%` }} />)}
    </div>
  )
}

export function Card({ title, actions, children, className }: { title?: React.ReactNode; actions?: React.ReactNode; children: React.ReactNode; className?: string }) {
  return (
    <section className={clsx('card min-w-0', className)} aria-label={typeof title === 'string' ? title : undefined}>
      {title && <header className="flex min-h-11 flex-wrap items-center gap-3 border-b border-line px-4 py-2"><h2 className="min-w-0 flex-1 text-sm font-semibold">{title}</h2>{actions}</header>}
      {children}
    </section>
  )
}

export type Column<T> = { label: string; right?: boolean; wide?: boolean; render: (row: T) => React.ReactNode }

/** A table of records; cards on a phone. */
export function Records<T>({ rows, columns, id, caption, empty }: { rows: T[]; columns: Column<T>[]; id: (row: T) => string; caption: string; empty: React.ReactNode }) {
  if (rows.length === 0) return <>{empty}</>
  return (
    <div className="overflow-x-auto">
    <table className="cards w-full border-collapse">
      <caption className="sr-only">{caption}</caption>
      <thead>
        <tr className="border-b border-line">
          {columns.map((c) => <th key={c.label} scope="col" className={clsx('px-3 py-2 text-xs font-medium text-ink3 first:pl-4 last:pr-4', c.right ? 'text-right' : 'text-left')}>{c.label}</th>)}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={id(row)} className="border-b border-line last:border-0 hover:bg-raised">
            {columns.map((c) => <td key={c.label} data-label={c.label} className={clsx('px-3 py-2 align-middle first:pl-4 last:pr-4', c.right && 'text-right whitespace-nowrap', !c.wide && 'max-w-80')}><div className="min-w-0">{c.render(row)}</div></td>)}
          </tr>
        ))}
      </tbody>
    </table>
    </div>
  )
}
