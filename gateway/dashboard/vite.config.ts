import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// The running LUCI that `npm run dev` asks.
const luci = process.env.LUCI_URL ?? 'http://127.0.0.1:8080'
const proxied = { target: luci, changeOrigin: true, headers: { origin: luci } }

export default defineConfig({
  plugins: [react(), tailwindcss()],
  base: '/admin/',
  build: {
    outDir: 'dist/app',
    emptyOutDir: true,
    target: 'es2023',
    // The content security policy allows no inline file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/ },
            { name: 'tanstack', test: /node_modules[\\/]@tanstack/ },
            { name: 'radix', test: /node_modules[\\/](@radix-ui|radix-ui|@floating-ui)/ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': proxied, '/ws': { ...proxied, ws: true } } },
  test: { environment: 'node', include: ['tests/**/*.test.ts'] },
})
