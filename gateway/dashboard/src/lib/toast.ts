// Short messages at the corner of the page. A failure stays until it is closed.
import { create } from 'zustand'
import { sentence } from './api'

export type Toast = { id: number; kind: 'done' | 'failed' | 'info'; text: string; detail?: string }

export const useToasts = create<{ toasts: Toast[] }>()(() => ({ toasts: [] }))

let last = 0
export function toast(kind: Toast['kind'], text: string, detail?: string) {
  const id = ++last
  useToasts.setState(({ toasts }) => ({ toasts: [...toasts.slice(-4), { id, kind, text, detail }] }))
  if (kind !== 'failed') setTimeout(() => dismiss(id), 6_000)
  return id
}

export const dismiss = (id: number) => useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((t) => t.id !== id) }))

/** Shows what went wrong. */
export const failed = (error: unknown) => toast('failed', sentence(error))
