// Questions before an action that cannot be taken back.
import { create } from 'zustand'

export type Question = { title: string; text: React.ReactNode; action: string; danger?: boolean; answer: (yes: boolean) => void }

export const useQuestion = create<{ question: Question | null }>()(() => ({ question: null }))

export function confirm(question: Omit<Question, 'answer'>): Promise<boolean> {
  return new Promise((resolve) => {
    useQuestion.setState({
      question: {
        ...question,
        answer: (yes) => {
          useQuestion.setState({ question: null })
          resolve(yes)
        },
      },
    })
  })
}
