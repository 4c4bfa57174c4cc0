//! `sori models`: the zoo.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use sori_models::{Architecture, Card, ModelConfig, catalogue, num_params};

use super::model_card;
use super::options::{Common, of_set};
use super::output::{print, print_json};
use super::picture::PictureArgs;
use crate::backend::{BackendName, Job, run_on};
use crate::run::zoo::located;
use crate::run::{Figure, Pretrained, pretrained};
use crate::show::graph::draw_graph;
use crate::show::text::thousands;
use crate::task::metrics::title;
use crate::{Error, Result, Settings};

#[derive(Args)]
pub(super) struct ModelsArgs {
    /// The architecture to show; without it all are listed
    #[arg(conflicts_with = "graph")]
    model: Option<String>,
    /// List the networks that Sori has trained instead, which are runs by the name of `zoo:NAME`
    #[arg(long, conflicts_with_all = ["model", "graph", "set"])]
    weights: bool,
    /// Draw how random_wired is wired instead, as a picture
    #[arg(long, value_name = "x.png")]
    graph: Option<PathBuf>,
    /// One of its settings, such as graph=barabasi_albert or graph_seed=1; may be given several times
    #[arg(long, value_name = "KEY=VALUE", requires = "graph")]
    set: Vec<String>,
    #[command(flatten)]
    picture: PictureArgs,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    title: &'a str,
    task: &'a str,
    paper: &'a str,
    paper_url: &'a str,
    summary: &'a str,
    params: usize,
}

/// Parameters of a model on the default features and ten classes.
struct Count(ModelConfig);

impl Job for Count {
    type Output = Result<usize>;

    fn run<B: burn::tensor::backend::AutodiffBackend>(self, device: &B::Device) -> Result<usize> {
        // Parameters are counted by shape and not initialised.
        Ok(num_params(&self.0.init::<B::InnerBackend>(device)?))
    }
}

pub(super) fn run(common: &Common, args: &ModelsArgs) -> Result<()> {
    if args.weights {
        return weights(common);
    }
    match (&args.graph, &args.model) {
        (Some(path), _) => draw(common, args, path),
        (None, Some(model)) => model_card::show(common, model),
        (None, None) => list(common),
    }
}

/// Lists the networks that Sori has trained.
fn weights(common: &Common) -> Result<()> {
    for card in pretrained() {
        let folder = located(Path::new(&format!("zoo:{}", card.name)));
        if common.json {
            let mut line = json!(card);
            line["event"] = json!("weights");
            line["folder"] = json!(folder.as_ref().ok());
            print_json(&line)?;
            continue;
        }
        let Pretrained {
            name,
            model,
            summary,
            data,
            licence,
            limits,
            ..
        } = card;
        let task = card.task.as_str();
        let figures = card.figures.iter().map(|figure| {
            let Figure {
                data,
                metric,
                value,
                items,
            } = figure;
            format!(
                "{} {value:.4} on {items} recordings ({data})",
                title(metric)
            )
        });
        let figures: Vec<String> = figures.collect();
        let params = thousands(card.params);
        print(&format!(
            "zoo:{name:<10} {task:<10} {summary}\n{:15}{model}, {params} parameters, trained on {data} ({licence})\n\
             {:15}{}\n{:15}{limits}",
            "",
            "",
            figures.join("; "),
            "",
        ))?;
        if let Err(error) = folder {
            print(&format!("{:15}{error}", ""))?;
        }
    }
    common.tell("\n`sori predict zoo:NAME SOUND` uses one, and `sori train MODEL --from zoo:NAME` starts from it.")
}

fn draw(common: &Common, args: &ModelsArgs, path: &Path) -> Result<()> {
    super::output::require_png("--graph", path)?;
    // As the model of a run. The other settings do not matter here.
    let mut settings = Settings::new("random_wired", "", 16_000)?;
    for assignment in &args.set {
        settings = settings.with_override(assignment).map_err(of_set)?;
    }
    let ModelConfig::RandomWired(config) = settings.model else {
        return Err(Error::Input(
            "only random_wired has graphs; `model.name` must stay as it is".to_string(),
        ));
    };
    draw_graph(&config, args.picture.theme, path)?;
    let graphs = config.graphs()?;
    if common.json {
        let stages = graphs.iter().map(|graph| {
            json!({
                "nodes": graph.num_nodes(), "edges": graph.edges().collect::<Vec<_>>(),
                "inputs": graph.sources(), "outputs": graph.sinks(),
            })
        });
        return print_json(&json!({
            "graph": config.graph, "seed": config.graph_seed, "out": path.display().to_string(),
            "stages": stages.collect::<Vec<_>>(),
        }));
    }
    let edges = graphs.iter().map(|graph| graph.edges().count());
    print(&format!(
        "{}: {} stages of {} nodes, {} edges → {}",
        config.graph.title(),
        graphs.len(),
        config.num_nodes,
        edges.sum::<usize>(),
        path.display()
    ))
}

fn list(common: &Common) -> Result<()> {
    // Counting needs no device, so any working backend will do.
    let backend = BackendName::compiled().last().unwrap_or_default();
    for card in catalogue() {
        let Card {
            name,
            title,
            paper,
            paper_url,
            summary,
            ..
        } = *card;
        let task = card.purpose.as_str();
        let params = run_on(backend, Count(ModelConfig::from_name(name)?))??;
        if common.json {
            print_json(&Line {
                name,
                title,
                task,
                paper,
                paper_url,
                summary,
                params,
            })?;
            continue;
        }
        print(&format!(
            "{name:<12} {task:<10} {:>11} parameters  {title}\n{:>24}{summary}\n{:>24}{paper}\n\
             {:>24}{paper_url}",
            thousands(params),
            "",
            "",
            "",
        ))?;
    }
    common.tell("\nParameters are those of the default configuration; the data's bins and classes change them. `sori models NAME` \
         shows one.")
}
