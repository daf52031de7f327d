// A run on a phone. A swipe to the left shows the actions; the menu has the same ones.
import { Link } from '@tanstack/react-router'
import { MoreHorizontal, Pause, Play, Square } from 'lucide-react'
import { useRef, useState } from 'react'
import { StageStrip } from '../components/status'
import { Button, IconButton, Menu, type MenuItem } from '../components/ui'
import type { Run } from '../lib/api'
import { type Action, actionsOf, useProgress } from '../lib/runs'
import { nameOf } from './columns'

type Props = { run: Run; now: number; menu: MenuItem[]; badge: React.ReactNode; line: React.ReactNode; mayPause: boolean; onAction: (action: Action) => void }

export function RunCard({ run, menu, badge, line, mayPause, onAction }: Props) {
  const progress = useProgress(run)
  const [open, setOpen] = useState(false)
  const from = useRef<{ x: number; y: number } | null>(null)
  const swiped = (event: React.TouchEvent) => {
    const touch = event.changedTouches[0]
    if (!touch || !from.current) return
    const x = touch.clientX - from.current.x
    if (Math.abs(x) > 48 && Math.abs(x) > 2 * Math.abs(touch.clientY - from.current.y)) setOpen(x < 0)
  }
  const actions = actionsOf(run)
  return (
    <div className="flex h-full items-stretch" onTouchStart={(e) => { const t = e.touches[0]; from.current = t ? { x: t.clientX, y: t.clientY } : null }} onTouchEnd={swiped}>
      <div className="grid min-w-0 flex-1 content-center gap-2 px-4">
        <div className="flex items-center gap-2">
          <Link to="/pipelines/$runId" params={{ runId: run.runId }} className="quiet-link min-w-0 flex-1 truncate py-2 text-base font-semibold">{nameOf(run)}</Link>
          {badge}
          <Menu label={`Actions for ${nameOf(run)}`} trigger={<IconButton label={`Actions for ${nameOf(run)} ${run.runId.slice(-4)}`} icon={MoreHorizontal} className="-mr-2" />} items={menu} />
        </div>
        <StageStrip run={run} progress={progress} />
        <div className="flex justify-between gap-2 text-xs text-ink2">{line}</div>
      </div>
      {open && (
        <div className="flex items-center gap-2 bg-raised px-3">
          {actions.includes('pause') && <Button icon={Pause} disabled={!mayPause} onClick={() => onAction('pause')}>Pause</Button>}
          {actions.includes('resume') && <Button icon={Play} disabled={!mayPause} onClick={() => onAction('resume')}>Resume</Button>}
          {actions.includes('cancel') && <Button kind="danger" icon={Square} disabled={!mayPause} onClick={() => onAction('cancel')}>Cancel</Button>}
        </div>
      )}
    </div>
  )
}
