// Every address of the dashboard. Only the list is loaded at once; the other pages when they are opened.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router'
import { App } from './app'
import { Empty, Problem } from './components/ui'
import { listSearch, parseSearch, runSearch, runsSearch, stringifySearch } from './lib/search'
import { RunsPage } from './runs/page'

const root = createRootRoute({
  component: () => <App><Outlet /></App>,
  errorComponent: ({ error, reset }) => <Problem error={error} what="This page failed." onRetry={reset} />,
  notFoundComponent: () => <Empty title="There is no such page" action={<a className="link" href="/admin/pipelines">All runs</a>} />,
})
const getParentRoute = () => root

const routes = [
  createRoute({ getParentRoute, path: '/', beforeLoad: () => { throw redirect({ to: '/pipelines' }) } }),
  createRoute({ getParentRoute, path: '/pipelines', component: RunsPage, validateSearch: runsSearch }),
  createRoute({ getParentRoute, path: '/pipelines/$runId', component: lazyRouteComponent(() => import('./run/page'), 'RunPage'), validateSearch: runSearch }),
  createRoute({ getParentRoute, path: '/imports', component: lazyRouteComponent(() => import('./pages/imports'), 'ImportsPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/leads', component: lazyRouteComponent(() => import('./pages/leads'), 'LeadsPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/leads/$leadId', component: lazyRouteComponent(() => import('./pages/lead'), 'LeadPage') }),
  createRoute({ getParentRoute, path: '/sectors', component: lazyRouteComponent(() => import('./pages/sectors'), 'SectorsPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/messages', component: lazyRouteComponent(() => import('./pages/messages'), 'MessagesPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/templates', component: lazyRouteComponent(() => import('./pages/templates'), 'TemplatesPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/suppressions', component: lazyRouteComponent(() => import('./pages/suppressions'), 'SuppressionsPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/blueprints', component: lazyRouteComponent(() => import('./pages/blueprints'), 'BlueprintsPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/automations', component: lazyRouteComponent(() => import('./pages/automations'), 'AutomationsPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/providers', component: lazyRouteComponent(() => import('./pages/providers'), 'ProvidersPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/keys', component: lazyRouteComponent(() => import('./pages/keys'), 'KeysPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/audit', component: lazyRouteComponent(() => import('./pages/audit'), 'AuditPage'), validateSearch: listSearch }),
  createRoute({ getParentRoute, path: '/system', component: lazyRouteComponent(() => import('./pages/system'), 'SystemPage'), validateSearch: listSearch }),
] as const

export const router = createRouter({ routeTree: root.addChildren(routes), basepath: '/admin', parseSearch, stringifySearch, scrollRestoration: true })

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
