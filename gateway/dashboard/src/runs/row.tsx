// A row of the list. It is drawn again when its run or the clock changes, and not in each frame in which the list scrolls.
import clsx from 'clsx'
import { MoreHorizontal } from 'lucide-react'
import { memo, type RefObject } from 'react'
import { IconButton, Menu, type MenuItem } from '../components/ui'
import type { Run } from '../lib/api'
import { type Context, nameOf, type RunColumn } from './columns'

export type RowActions = { pick: (index: number, run: Run | undefined, target: HTMLElement) => void; toggle: (runId: string) => void; menu: (run: Run) => MenuItem[] }

type Props = { index: number; run?: Run; columns: RunColumn[]; context: Context; height: number; current: boolean; selected: boolean; checked: boolean; actions: RefObject<RowActions> }

export const RunRow = memo(function RunRow({ index, run, columns, context, height, current, selected, checked, actions }: Props) {
  return (
    <tr data-run={run?.runId} aria-rowindex={index + 2} style={{ height }} onClick={(e) => actions.current.pick(index, run, e.target as HTMLElement)}
      className={clsx('cursor-pointer border-b border-line hover:bg-raised', current && 'shadow-[inset_2px_0_var(--accent)]', selected && 'bg-raised')}>
      <td className="pl-4">{run && <input type="checkbox" className="size-4 align-middle" aria-label={`Select ${nameOf(run)} ${run.runId.slice(-4)}`} checked={checked} onChange={() => actions.current.toggle(run.runId)} />}</td>
      {columns.map((c) => <td key={c.id} className={clsx('truncate px-2', c.right && 'text-right')}>{run ? c.render(run, context) : <span className="breathe block h-3 w-2/3 rounded bg-raised" />}</td>)}
      <td className="pr-2">{run && <Menu label={`Actions for ${nameOf(run)}`} trigger={<IconButton label={`Actions for ${nameOf(run)} ${run.runId.slice(-4)}`} icon={MoreHorizontal} />} items={actions.current.menu(run)} />}</td>
    </tr>
  )
})
