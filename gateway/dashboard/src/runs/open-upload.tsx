// An upload that was interrupted: choosing the same file continues it.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Button } from '../components/ui'
import { client, ok } from '../lib/api'
import { useSession } from '../lib/session'

export function OpenUpload() {
  const queries = useQueryClient()
  const actor = useSession((s) => s.session?.actorId)
  const [busy, setBusy] = useState(false)
  const open = useQuery({
    queryKey: ['open-upload'],
    gcTime: 0,
    queryFn: async () => {
      const { uploads } = await ok(client.GET('/api/uploads', { params: { query: { limit: 20 } } }))
      // One that the command line began, it continues itself; one of a colleague may be under way.
      const newest = uploads.find((one) => !one.checksum && one.createdBy === `actor:${actor}`)
      return newest ? ok(client.GET('/api/uploads/{importId}', { params: { path: { importId: newest.importId } } })) : null
    },
  })
  const upload = open.data
  if (!upload) return null
  const discard = async () => {
    setBusy(true)
    try {
      await ok(client.DELETE('/api/uploads/{importId}', { params: { path: { importId: upload.importId } } }))
    } finally {
      setBusy(false)
      queries.invalidateQueries({ queryKey: ['open-upload'] })
    }
  }
  const percent = Math.floor((upload.receivedBytes / upload.sizeBytes) * 100)
  return (
    <div id="open-upload" className="mt-2 flex items-center gap-3 rounded-lg bg-raised px-3 py-2 text-xs text-ink2">
      <p className="flex-1">The upload of <b className="font-medium break-all text-ink">{upload.fileName}</b> stopped at {percent}%. Choose the same file to continue.</p>
      <Button small busy={busy} onClick={discard}>Discard</Button>
    </div>
  )
}
