// Who is signed in, and what their role may do.
import { create } from 'zustand'
import type { Session } from './api'

export const useSession = create<{ session: Session | null | undefined }>()(() => ({ session: undefined }))

type Right = 'read' | 'operate' | 'administer' | 'own'
const RIGHTS: Right[] = ['read', 'operate', 'administer', 'own']
const HIGHEST: Record<Session['role'], Right> = { viewer: 'read', auditor: 'read', member: 'operate', admin: 'administer', owner: 'own' }

export const may = (session: Session | null | undefined, right: Right) => !!session && RIGHTS.indexOf(right) <= RIGHTS.indexOf(HIGHEST[session.role])

export const useMay = (right: Right) => useSession(({ session }) => may(session, right))
