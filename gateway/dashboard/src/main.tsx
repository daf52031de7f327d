import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Refused } from './lib/api'
import { applyTheme } from './lib/prefs'
import { router } from './router'
import './styles.css'

applyTheme()
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // Loopback is reachable without a network.
      networkMode: 'always',
      retry: (tries, error) => tries < 2 && !(error instanceof Refused && error.status < 500),
    },
    mutations: { networkMode: 'always' },
  },
})
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
