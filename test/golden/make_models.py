# Recorded values of an independent implementation (transformers on PyTorch): log-probabilities of tiny models and short
# trainings by AdamW. Prints the JSON that stands beside this file:
#   python make_models.py > models.json     (torch 2.15, transformers 5.23)
import json

import numpy
import torch
from transformers import AutoConfig, AutoModelForCausalLM

torch.set_num_threads(1)
SHAPE = dict(
    vocab_size=13,
    hidden_size=16,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=32,
    rms_norm_eps=1e-6,
    hidden_act="silu",
    bos_token_id=0,
    eos_token_id=1,
)
MODELS = {
    "qwen2, tied, grouped": dict(model_type="qwen2", num_key_value_heads=2, tie_word_embeddings=True, rope_theta=10000.0),
    "qwen2, untied": dict(model_type="qwen2", num_key_value_heads=4, tie_word_embeddings=False, rope_theta=1000000.0),
    "llama, tied": dict(model_type="llama", num_key_value_heads=4, tie_word_embeddings=True, rope_theta=10000.0),
    "llama, untied, grouped": dict(model_type="llama", num_key_value_heads=1, tie_word_embeddings=False, rope_theta=500000.0),
    "llama, wide heads, biased": dict(
        model_type="llama", num_key_value_heads=2, tie_word_embeddings=True, rope_theta=10000.0, head_dim=6, attention_bias=True
    ),
}
TOKENS = [2, 7, 7, 3, 12, 5, 0, 9, 4, 11, 6]
DOCUMENTS = [[2, 7, 3, 1], [5, 5, 6, 8, 10, 12, 1], [9, 4, 1], [11, 3, 4, 7, 1]]
PAIRS = [
    dict(prompt=[2, 7, 3], chosen=[5, 6, 1], rejected=[8, 1]),
    dict(prompt=[2, 7, 3], chosen=[5, 6, 1], rejected=[9, 10, 11, 4]),
    dict(prompt=[4], chosen=[12, 1], rejected=[3, 3, 1]),
]
TRAINING = dict(steps=6, learningRate=0.01, beta1=0.9, beta2=0.98, epsilon=1e-8, weightDecay=0.1, clipNorm=1.0)
RPO = dict(beta=0.3, alpha=0.7)


def fill(model):
    """Weights by formula, so that no file of weights has to be kept: sines, around 1 in norms."""
    tensors = dict(model.named_parameters())
    for k, name in enumerate(sorted(tensors)):
        values = 0.3 * numpy.sin(1 + 0.37 * numpy.arange(tensors[name].numel()) + 1.7 * k)
        if "norm" in name:
            values = 1 + values / 3
        with torch.no_grad():
            tensors[name].copy_(torch.from_numpy(values.astype(numpy.float32)).reshape(tensors[name].shape))


def make(change):
    config = {**SHAPE, **change}
    settings = dict(config)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings), attn_implementation="eager", dtype=torch.float32)
    fill(model)
    return model, config


def log_probabilities(model, tokens):
    return torch.log_softmax(model(torch.tensor([tokens])).logits[0], dim=-1)


def response_scores(model, prompt, response):
    every = log_probabilities(model, prompt + response)
    places = range(len(prompt) - 1, len(prompt) + len(response) - 1)
    return torch.stack([every[place, token] for place, token in zip(places, response)])


def next_token_loss(model):
    scores = [log_probabilities(model, d)[range(len(d) - 1), d[1:]] for d in DOCUMENTS]
    return -torch.cat(scores).mean()


def rpo_loss(model, reference):
    losses = []
    for pair in PAIRS:
        chosen = response_scores(model, pair["prompt"], pair["chosen"])
        rejected = response_scores(model, pair["prompt"], pair["rejected"])
        with torch.no_grad():
            lead = response_scores(reference, pair["prompt"], pair["chosen"]).sum()
            lead = lead - response_scores(reference, pair["prompt"], pair["rejected"]).sum()
        margin = RPO["beta"] * (chosen.sum() - rejected.sum() - lead)
        losses.append(-torch.nn.functional.logsigmoid(margin) - RPO["alpha"] * chosen.mean())
    return torch.stack(losses).mean()


def train(model, loss_of):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    groups = [dict(params=matrices, weight_decay=TRAINING["weightDecay"]), dict(params=others, weight_decay=0.0)]
    betas = (TRAINING["beta1"], TRAINING["beta2"])
    optimizer = torch.optim.AdamW(groups, lr=TRAINING["learningRate"], betas=betas, eps=TRAINING["epsilon"])
    steps = []
    for _ in range(TRAINING["steps"]):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), TRAINING["clipNorm"])
        optimizer.step()
        steps.append(dict(loss=loss.item(), gradientNorm=norm.item()))
    sums = {name: [p.double().sum().item(), p.double().pow(2).sum().item()] for name, p in model.named_parameters()}
    return dict(steps=steps, sums=sums)


models = {}
for name, change in MODELS.items():
    model, config = make(change)
    with torch.no_grad():
        models[name] = dict(config=config, logProbabilities=log_probabilities(model, TOKENS).tolist())

trainings = {}
for name in ["qwen2, tied, grouped", "llama, untied, grouped"]:
    trainings[f"{name}: next-token"] = dict(model=name, **train(make(MODELS[name])[0], next_token_loss))
    reference = make(MODELS[name])[0]
    trainings[f"{name}: rpo"] = dict(model=name, **train(make(MODELS[name])[0], lambda model: rpo_loss(model, reference)))

print(json.dumps(dict(tokens=TOKENS, documents=DOCUMENTS, pairs=PAIRS, training=TRAINING, rpo=RPO, models=models, trainings=trainings), indent=1))
