//! Examples of subcommands, for the end of their help and for the manual pages.

use clap::Command;

/// A command line for each subcommand, by its name; nested ones by all of theirs, and the program itself by none. Each
/// fits a line of the help.
const EXAMPLES: [(&str, &str); 40] = [
    ("", "circuitscope --prompt 'the capital of France is'"),
    ("trace", "circuitscope trace --prompt 'the capital of France is' --out france.safetensors"),
    ("open", "circuitscope open graph.safetensors"),
    ("tokens", "circuitscope tokens --prompt 'the capital of France is'"),
    ("export", "circuitscope export graph.safetensors --format svg --out figure.svg"),
    ("features", "circuitscope features show 2:7"),
    ("features browse", "circuitscope features browse --search 'containing dallas'"),
    ("features build", "circuitscope features build --corpus corpus.txt --out store"),
    ("features fetch", "circuitscope features fetch graph.safetensors"),
    ("features merge", "circuitscope features merge parts/shard-1-of-2.part parts/shard-2-of-2.part --out store"),
    ("features import", "circuitscope features import exports --transcoder transcoder"),
    ("features show", "circuitscope features show 2:7 --top 10"),
    ("fetch", "circuitscope fetch 'https://www.neuronpedia.org/gemma-2-2b/graph?slug=NAME'"),
    ("intervene", "circuitscope intervene --prompt 'the capital of France is' --scale '1:4:42=2'"),
    ("generate", "circuitscope generate --prompt 'the capital of France is' --ablate 1:4:42 --max-tokens 4"),
    ("show", "circuitscope show graph.safetensors --top 20"),
    ("find", "circuitscope find graph.safetensors austin"),
    ("paths", "circuitscope paths graph.safetensors SOURCE TARGET -k 5"),
    ("filter", "circuitscope filter graph.safetensors 'type:feature promotes~Austin'"),
    ("groups", "circuitscope groups graph.safetensors"),
    ("circuit", "circuitscope circuit graph.safetensors --verify --out circuit.svg"),
    ("edit", "circuitscope edit graph.safetensors --pin SOURCE --note 'as expected'"),
    ("verify", "circuitscope verify graph.safetensors --report report"),
    ("why", "circuitscope why 2:4:7 --prompt 'the capital of France is'"),
    ("diff", "circuitscope diff a.safetensors b.safetensors"),
    ("union", "circuitscope union a.safetensors b.safetensors --out both.json"),
    ("heads", "circuitscope heads graph.safetensors --top 5"),
    ("attention", "circuitscope attention graph.safetensors --head 1.0 --query -1 --key 4 --verify"),
    ("guide", "circuitscope guide filters"),
    ("keys", "circuitscope keys --default"),
    ("manual", "circuitscope manual trace > circuitscope-trace.1"),
    ("completions", "circuitscope completions bash > circuitscope.bash"),
    ("start", "circuitscope start"),
    ("tour", "circuitscope tour"),
    ("models", "circuitscope models --published"),
    ("pull", "circuitscope pull --dry-run llama-3.2-1b"),
    ("status", "circuitscope status parts"),
    ("train", "circuitscope train --corpus corpus.txt --features 64 --tokens 320 --batch 16 --out mine"),
    ("train merge", "circuitscope train merge low high --out whole"),
    ("submit", "circuitscope submit --slurm trace --prompts prompts.txt --out graphs > job.sh"),
];

/// Returns the example of a subcommand.
pub fn of(name: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(of, _)| *of == name).map(|(_, example)| *example)
}

/// Puts its example at the end of the help of a command of this name, and of each of its subcommands.
pub fn add(command: Command, name: &str) -> Command {
    let inner = |subcommand: Command| {
        let whole = format!("{name} {}", subcommand.get_name());
        add(subcommand, whole.trim_start())
    };
    let command = command.mut_subcommands(inner);
    let Some(example) = of(name).map(|example| format!("Example: {example}")) else { return command };
    // The long help has no other end where none of its own is set.
    match command.get_after_long_help().map(|end| format!("{end}\n{example}")) {
        Some(end) => command.after_long_help(end).after_help(example),
        None => command.after_help(example),
    }
}
