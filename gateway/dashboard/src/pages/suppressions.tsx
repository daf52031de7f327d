export function SuppressionsPage() { return null }
